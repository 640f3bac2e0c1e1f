"""Runs generated programs on whichever greenlet package is importable, and prints the results.

usage: worker.py SEED NUMBER      prints a line for each of NUMBER programs: seed, operations, digest of the log
       worker.py SEED NUMBER storm [SECONDS]
                                  the same within a time limit, and a summary at the end
       worker.py                  reads programs as lines of JSON, and prints their logs as lines of JSON

`storm`: garbage is collected at every operation and every switch, and with gc.set_threshold(1). The exit status is 1 if
a program crashed or hung.
Each program runs in a process of its own, so that it can't affect the next one. If that process does not end normally,
its end is the log.
"""

import faulthandler
import gc
import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import program_run
import programs
import runtime

FUEL = 300
SECONDS = 60


def apart(program: list) -> list[str]:
    """Run a program in a child process, and return its log."""
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


def results(first: int, number: int, end: float) -> Iterator[tuple[int, int, str]]:
    """Yield the seed, the number of operations and the digest of the log of each program.

    A log of one line is not digested.
    """
    for seed in range(first, first + number):
        if time.monotonic() > end:
            return
        log = apart(programs.program(seed))
        if len(log) == 1:
            yield seed, 0, log[0]
        else:
            digest = hashlib.sha256("\n".join(log).encode()).hexdigest()[:16]
            yield seed, sum(line[0] in "0123456789" for line in log), digest


def main() -> int:
    faulthandler.enable()
    gc.disable()
    gc.collect()
    gc.freeze()  # so that collections only visit the objects of a program
    sys.setrecursionlimit(5000)  # the depth at which a greenlet starts differs between the packages
    if len(sys.argv) == 1:
        for line in sys.stdin:
            print(json.dumps(apart(json.loads(line))), flush=True)
        return 0
    first, number = map(int, sys.argv[1:3])
    is_storm = sys.argv[3:4] == ["storm"]
    if is_storm:
        program_run.is_storm = True
        gc.set_threshold(1)
        gc.enable()
    end = time.monotonic() + float(sys.argv[4]) if len(sys.argv) > 4 else float("inf")
    done = operations = crashes = 0
    for seed, length, outcome in results(first, number, end):
        print(seed, length, outcome, flush=True)
        done += 1
        operations += length
        crashes += length == 0 and outcome != "nested deallocations"  # those are not compared, see differential.py
    if is_storm:
        print(f"storm: {done} programs, {operations} operations, {crashes} crashed")
    return is_storm and crashes > 0


sys.exit(main())
