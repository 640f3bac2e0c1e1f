"""Runs generated programs on whichever greenlet package is importable, and says what they did.

usage: worker.py SEED NUMBER [storm]
                                  a line for each of NUMBER programs: seed, operations, digest of the log
       worker.py                  for each program given as a line of JSON: its log, as a line of JSON

`storm`: garbage is collected at every operation and every switch, and with gc.set_threshold(1).
Each program runs in a process of its own, so that what one leaves behind is not the next one's; if that
does not end well, how it ended is the log.
"""

import faulthandler
import gc
import hashlib
import json
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import programs  # noqa: E402
import runtime  # noqa: E402

FUEL = 300
SECONDS = 60


def apart(program: list) -> list[str]:
    """The log of a program that runs in a child process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        log = runtime.execute(programs.as_source(program), FUEL)
        with open(writing, "w") as stream:
            json.dump(log, stream)
        os._exit(0)
    os.close(writing)
    with open(reading) as stream:
        text = stream.read()
    _, status = os.waitpid(child, 0)
    if status == 0:
        return json.loads(text)
    return ["hang" if status == signal.SIGALRM else f"exit code {os.waitstatus_to_exitcode(status)}"]


def main() -> None:
    faulthandler.enable()
    gc.disable()
    sys.setrecursionlimit(5000)  # how deep a greenlet starts is not the same in both
    if len(sys.argv) == 1:
        for line in sys.stdin:
            print(json.dumps(apart(json.loads(line))), flush=True)
        return
    first, number = map(int, sys.argv[1:3])
    if sys.argv[3:] == ["storm"]:
        runtime.is_storm = True
        gc.collect()
        gc.freeze()
        gc.set_threshold(1)
        gc.enable()
    for seed in range(first, first + number):
        log = apart(programs.program(seed))
        if len(log) == 1:
            print(f"{seed} 0 {log[0]}", flush=True)
            continue
        digest = hashlib.sha256("\n".join(log).encode()).hexdigest()[:16]
        operations = sum(line[0] in "0123456789" for line in log)
        print(f"{seed} {operations} {digest}", flush=True)


main()
