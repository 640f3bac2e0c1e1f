"""Stress tests, for as long as you like.

usage: PYTHON -m tools stress [SECONDS]

The parts that end by themselves run first: the instrumented builds (`PYTHON -m tools sanitize`), and on every
interpreter our suite with a garbage collection at each allocation, CPython's own tests, plainly and within a greenlet,
and Stackless Python's tests. Then the parts without an end run on every interpreter, for the time that they get: random
programs compared with the reference (on builds with a GIL), the same with a collection at every operation and switch,
random programs that only have to survive, and threads. Seeds begin at $SEED, by default at the time of day.

The SECONDS (default: 3600) are for everything, building this package included; only the first builds of
tools/build-python are not counted. Each part gets a share of the remaining time, and the parts after it share what it
does not use. A part that exceeds its share is cut off. That is no failure; it is reported, with the number of tests
that passed and the current test. Logs go to build/stress/ and build/sanitizers/.
"""

import collections
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tools import BUILD, ROOT, interpreters, processes, sanitize
from tools.interpreters import Interpreter
from tools.usage import parser

LOGS = BUILD / "stress"
# CPython 3.12 starts a pending collection in the middle of one that gc.collect() has started, and corrupts it. This
# lets the pending one run first.
SUITE = """import gc, sys, pytest
def collect(*generation, complete=gc.collect):
    for _ in range(2):
        pass
    return complete(*generation)
if sys.version_info[:2] == (3, 12):
    gc.collect = collect
class Collecting:
    def pytest_collection_finish(self, session):
        gc.freeze()  # pytest and the tests themselves, which take long to visit
        gc.set_threshold(1)
sys.exit(pytest.main(["-v", "-p", "no:cacheprovider", "--timeout=600", "tests"], plugins=[Collecting()]))"""

# Matches the line of a log for each test, file of tests, random program, source or set of scenarios that passed.
PASSED = re.compile(
    r" PASSED| Passed |^\d+ [1-9]\d* [0-9a-f]{16}$|^src/\S+\.cpp$|: level$|^\d+$|"
    r"^\w+: \d+ pass both ways$",
    re.MULTILINE,
)
# Matches lines that the logs of a part that passes never have.
BROKEN = re.compile(
    r" (FAILED|ERROR) +\[|^FAILED|^\d+ 0 (exit code|hang)|^seed \d+: a |NOT LEVEL|Fatal Python error|"
    r"runtime error:|^ +(NOT )?DIFFERENT|(ERROR|WARNING): \w+Sanitizer|"
    r"^==\d+== (Invalid|Conditional|Use of|Process terminating)",
    re.MULTILINE,
)


@dataclass
class Part:
    name: str
    weight: int  # its relative share of the time
    command: Callable[[float], list[str]]  # takes the seconds of its share
    environment: dict[str, str] = field(default_factory=dict)
    logs: str = "build/nothing"  # a pattern of the logs that the command itself writes

    def log_files(self) -> list[Path]:
        return [LOGS / f"{self.name}.log", *ROOT.glob(self.logs)]

    def run(self, seconds: float) -> tuple[str, str]:
        """Run the part. Returns the outcome as a word, and in full."""
        for path in self.log_files():
            path.unlink(missing_ok=True)
        begin = time.monotonic()
        with open(LOGS / f"{self.name}.log", "wb") as log:
            status = processes.run(self.command(seconds), seconds, log, self.environment)
        took = f"{time.monotonic() - begin:.0f} s"
        files = self.log_files()
        texts = [path.read_text(errors="replace") for path in files]
        if status not in (0, None, sanitize.SKIPPED) or any(map(BROKEN.search, texts)):
            logs = ", ".join(str(path.relative_to(ROOT)) for path in files)
            return "failed", f"FAILED, exit status {status}, after {took}, see {logs}"
        if status is None:
            passed = sum(len(PASSED.findall(text)) for text in texts)
            newest = max(files, key=lambda path: path.stat().st_mtime)
            return "cut off", f"cut off after {took}, {passed} tests passed so far; last: {last_line(newest)}"
        outcome = "skipped" if status == sanitize.SKIPPED else "passed"
        return outcome, f"{outcome} in {took}: {last_line(files[0])}"


def last_line(log: Path) -> str:
    return log.read_text(errors="replace").strip().rpartition("\n")[2].strip("= ")[:120]


def instrumented(name: str, weight: int, logs: str = "") -> Part:
    return Part(
        name,
        weight,
        lambda _: [sys.executable, "-m", "tools", "sanitize", name],
        logs=logs or f"build/sanitizers/{name}.log",
    )


class Subject:
    """An interpreter with our package, and its parts."""

    def __init__(self, interpreter: Interpreter):
        """Create the environment. Raises CalledProcessError if that fails."""
        self.name, self.interpreter = interpreter.name, interpreter
        self.python = interpreter.environment()
        self.environment = {"PYTHON_GIL": "0"} if interpreter.is_free_threaded else {}

    def suite(self) -> Part:
        command = [*self.python, "-u", "-X", "faulthandler", "-c", SUITE]
        return Part(f"{self.name}-suite", 10, lambda _: command, self.environment)

    def cpython_tests(self) -> Part:
        command = [*self.python, "-u", "tests/stress/cpython_tests/run.py"]
        return Part(f"{self.name}-cpython-tests", 10, lambda _: command, self.environment)

    def stackless_tests(self) -> Part:
        command = [*self.python, "-u", "tests/stackless_python/run.py"]
        return Part(f"{self.name}-stackless-tests", 2, lambda _: command, self.environment)

    def endless(self, seed: str) -> list[Part]:
        def told(seconds: float) -> str:
            return f"{seconds * 0.75:.0f}"  # leaves time to finish the current program

        def differential(seconds: float) -> list[str]:
            return [
                *self.interpreter.command,
                "-m",
                "tools",
                "differential",
                "--seed",
                seed,
                "--seconds",
                told(seconds),
                "--shrink",
                f"{seconds / 10:.0f}",
            ]

        def storm(seconds: float) -> list[str]:
            return [*self.python, "tests/stress/worker.py", seed, "1000000", "storm", told(seconds)]

        def timed(program: str) -> Callable[[float], list[str]]:
            return lambda seconds: [*self.python, f"tests/stress/{program}.py", told(seconds)]

        def surviving(program: str, *arguments: str) -> Callable[[float], list[str]]:
            script = f"tests/stress/{program}.py"
            return lambda seconds: [*self.python, script, seed, "1000000", told(seconds), *arguments]

        def signal_dumps(seconds: float) -> list[str]:
            return [*self.python, "tests/stress/signal_dumps.py", "1000000", told(seconds)]

        commands = {
            "differential": differential,
            "storm": storm,
            "signal_dumps": signal_dumps,
            **{program: timed(program) for program in ("threads", "tasklet_threads", "generator_threads", "outside")},
            **{program: surviving(program) for program in ("tasklets", "generators")},
            **{f"aio-{loop}": surviving("aio", loop) for loop in ("asyncio", "uvloop", "trio", "anyio")},
        }
        if self.interpreter.is_free_threaded:
            # The reference does not compile for 3.13t, and on 3.14t it notices the end of a thread too late.
            del commands["differential"]
        weights = {"differential": 4, "storm": 3}
        return [
            Part(f"{self.name}-{name}", weights.get(name, 1), command, self.environment)
            for name, command in commands.items()
        ]


def set_up() -> None:
    for kind in ("address", "thread", "freethreaded"):
        subprocess.run(["tools/build-python", kind], cwd=ROOT, stdin=subprocess.DEVNULL)


def build() -> tuple[list[Subject], int]:
    """Return the interpreters, and the number of those for which the package can't be built."""
    subjects, failures = [], 0
    for interpreter in interpreters.find():
        print(f"building for {interpreter.name}", flush=True)
        try:
            subjects.append(Subject(interpreter))
        except subprocess.CalledProcessError:
            print("    FAILED, see above", flush=True)
            failures += 1
    return subjects, failures


def all_parts(subjects: list[Subject], seed: str) -> list[Part]:
    return [
        instrumented("engine", 3, "build/engine-*/tests.log"),
        instrumented("headers", 3, "build/sanitizers/headers-*.log"),
        instrumented("references", 3),
        instrumented("thread", 4, "build/sanitizers/thread-*.log"),
        instrumented("leaks", 4, "build/sanitizers/leaks*.log"),
        *(subject.suite() for subject in subjects),
        *(subject.cpython_tests() for subject in subjects),
        *(subject.stackless_tests() for subject in subjects),
        instrumented("address-programs", 6, "build/sanitizers/address-programs*.log"),
        instrumented("address", 18),
        instrumented("valgrind", 60, "build/sanitizers/valgrind*"),
        *(part for subject in subjects for part in subject.endless(seed)),
    ]


def main(arguments: list[str]) -> int:
    parsed = parser(__doc__)
    parsed.add_argument("seconds", nargs="?", type=int, default=3600)
    budget = parsed.parse_args(arguments).seconds
    LOGS.mkdir(parents=True, exist_ok=True)
    set_up()
    begin = time.monotonic()
    seed = os.environ.get("SEED", f"{time.time():.0f}")
    subjects, failures = build()
    parts = all_parts(subjects, seed)
    built = time.monotonic() - begin
    print(f"{len(parts)} parts in {budget} s, of which building took {built:.0f} s; seeds from {seed}")
    outcomes = collections.Counter(failed=failures)
    for i, part in enumerate(parts):
        left = begin + budget - time.monotonic()
        share = left * part.weight / sum(other.weight for other in parts[i:])
        outcome, said = part.run(share) if share >= 1 else ("not started", "not started, no time is left")
        outcomes[outcome] += 1
        print(f"    {part.name}: {said}", flush=True)
    print(
        f"stress: {time.monotonic() - begin:.0f} s of {budget}; parts:",
        ", ".join(f"{number} {outcome}" for outcome, number in outcomes.items()),
    )
    return outcomes["failed"] > 0
