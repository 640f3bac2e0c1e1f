"""Continuous integration: everything that can fail, two steps at a time.

usage: PYTHON -m tools ci [--seconds SECONDS]

PYTHON is the default interpreter. It runs all tests, the fast suites of the libraries that use greenlet, the
differential programs and the gate, builds the documentation, and compiles for macOS and FreeBSD. The Python-level tests
also run on every other interpreter from 3.11 to 3.15 that the machine has or tools/provide-pythons can install. The
output of a step, with its runner's closing line at the end, is shown when the step ends. The exit status is 1 if a step
failed. A step that still runs after --seconds (default: 2520) is ended and counts as failed, and so does one that did
not start.
"""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tools import BUILD, ROOT, interpreters, processes
from tools.usage import parser

LOGS = BUILD / "ci"
AT_ONCE = 2


@dataclass
class Steps:
    limit: float
    began: float = field(default_factory=time.monotonic)
    outcomes: dict[str, bool] = field(default_factory=dict)
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(AT_ONCE))
    printing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def add(self, title: str, *command: str, told: bool = False) -> None:
        """Run a command as soon as a place is free. If *told*, it gets --seconds, so that it can end in time."""
        self.outcomes[title] = False
        self.pool.submit(self.run, title, len(self.outcomes), command, told)

    def run(self, title: str, number: int, command: tuple[str, ...], told: bool) -> None:
        begin, left = self.seconds, self.limit - self.seconds
        log = LOGS / f"{number}.log"
        status = None
        if left > 0:
            seconds = ["--seconds", f"{left - processes.GRACE:.0f}"] if told else []
            with open(log, "wb") as file:
                status = processes.run([*command, *seconds], left, file)
        self.end(title, status == 0, log.read_text(errors="replace") if left > 0 else "not started in time\n", begin)

    def end(self, title: str, passed: bool, text: str, begin: float) -> None:
        self.outcomes[title] = passed
        with self.printing:
            how = "done in" if passed else "FAILED after"
            print(f"=== {title}\n{text}=== {title}: {how} {self.seconds - begin:.0f} s", flush=True)

    def finish(self) -> int:
        """Wait for all steps, print the closing line, and return the exit status."""
        self.pool.shutdown()
        failed = [title for title, passed in self.outcomes.items() if not passed]
        print(f"{len(self.outcomes) - len(failed)} of {len(self.outcomes)} steps passed in {self.seconds:.0f} s")
        for title in failed:
            print(f"failed: {title}")
        return len(failed) > 0


def main(arguments: list[str]) -> int:
    parsed = parser(__doc__)
    parsed.add_argument("--seconds", type=float, default=2520)
    steps = Steps(parsed.parse_args(arguments).seconds)
    LOGS.mkdir(parents=True, exist_ok=True)

    # This mostly downloads, so it runs in addition to the first steps, and takes no place.
    providing = subprocess.Popen(
        ["tools/provide-pythons"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    tools = (sys.executable, "-m", "tools")
    # The README's command for all tests.
    steps.add("make test", "make", "--no-print-directory", "--keep-going", "test", f"PYTHON={sys.executable}")
    steps.add("clients, the fast suites", *tools, "clients", "--fast")
    steps.add("lint", *tools, "lint")
    steps.add("docs", *tools, "docs")
    text = providing.communicate()[0]
    steps.end("provide 3.14, 3.14-dbg and 3.15", providing.returncode == 0, text, 0)
    found = sorted(interpreters.find(), key=lambda interpreter: not interpreter.is_debug)  # the slowest first
    for interpreter in found:
        if not interpreter.is_free_threaded and not interpreter.is_current:
            steps.add(f"matrix, {interpreter.name}", *tools, "matrix", interpreter.name, told=True)
    steps.add("differential", *tools, "differential", "--seed", "0", "--operations", "100000")
    steps.add("macOS and FreeBSD, compiled", *tools, "cross", "--quick")
    steps.add("gate", *tools, "gate")
    steps.add("wheel", *tools, "wheels", "--quick")
    return steps.finish()
