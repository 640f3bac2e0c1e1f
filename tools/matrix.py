"""Builds the package for every interpreter found and runs the Python-level tests on each, two interpreters at a time.

usage: PYTHON -m tools matrix [--seconds SECONDS] [NAME...]

Debug builds, which take three times as long, leave out tests/project: the documentation, examples and benchmarks.

The names are those that `PYTHON -m tools interpreters` lists. Without names, all run except the free-threaded ones.
The output of a suite goes to build/matrix/NAME-SUITE.log. A table and one closing line follow at the end; the line
counts each of the two suites of each interpreter. A suite that still runs --seconds after the start (default: 2400)
counts as failed.
"""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tools import BUILD, ROOT, processes, test
from tools.interpreters import Interpreter, find
from tools.usage import parse_names, parser

LOGS = BUILD / "matrix"
AT_ONCE = 2
COMPLAINT = re.compile(r"(FAILED|ERROR|failed  |(.* )?Fatal Python error|tools \w+:|tests/reference/run\.py:)")


@dataclass
class Outcome:
    log: Path
    status: int | None  # None if the suite did not end in time

    @property
    def passed(self) -> bool:
        return self.status == 0

    def lines(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines()

    def closing_line(self) -> str:
        """Return the closing line of the suite's runner."""
        last = next((line for line in reversed(self.lines()) if line.strip()), "")
        if self.status is None or not re.search(r"\d+ (passed|failed|error)", last):
            return "did not finish"
        return last.strip("= ").removeprefix("reference: ")

    def complaints(self) -> list[str]:
        if self.passed:
            return []
        return [line for line in self.lines() if COMPLAINT.match(line)][:20] or self.lines()[-15:]


def test_on(interpreter: Interpreter, deadline: float) -> dict[str, Outcome]:
    """Run both suites and print the results."""
    start = time.monotonic()
    make = [*interpreter.command, "-m", "tools", "environment", "ours"]
    python = interpreter.python()
    left_out = ["--ignore=tests/project"] if interpreter.is_debug else []
    commands = {
        "build": make,
        "pytest": test.pytest(python, interpreter.folder, *left_out),
        "reference": test.reference(python),
    }
    outcomes = {}
    for suite, command in commands.items():
        log = LOGS / f"{interpreter.name}-{suite}.log"
        with open(log, "wb") as file:
            built = suite == "build" or outcomes["build"].passed
            left = max(1, deadline - time.monotonic())
            outcomes[suite] = Outcome(log, processes.run(command, left, file) if built else 1)
    lines = [f"{interpreter.name}: {time.monotonic() - start:.0f} s, logs in {LOGS.relative_to(ROOT)}"]
    lines += [f"{suite} {outcomes[suite].closing_line()}" for suite in ("pytest", "reference")]
    lines += [line for outcome in outcomes.values() for line in outcome.complaints()]
    print("\n    ".join(lines), flush=True)
    del outcomes["build"]
    return outcomes


def main(arguments: list[str]) -> int:
    parsed = parser(__doc__)
    parsed.add_argument("--seconds", type=float, default=2400)
    found = find()
    plain = [interpreter.name for interpreter in found if not interpreter.is_free_threaded]
    options = parse_names(parsed, arguments, [interpreter.name for interpreter in found], plain)
    deadline = time.monotonic() + options.seconds
    chosen = [interpreter for interpreter in found if interpreter.name in options.names]
    chosen.sort(key=lambda interpreter: not interpreter.is_debug)  # debug builds take longest

    LOGS.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = dict(zip(chosen, pool.map(lambda interpreter: test_on(interpreter, deadline), chosen)))
    print(f"\n{'python':9} {'pytest suite':42} reference suite")
    for interpreter, suites in outcomes.items():
        print(f"{interpreter.name:9} {suites['pytest'].closing_line():42} {suites['reference'].closing_line()}")
    all_suites = [suite for suites in outcomes.values() for suite in suites.values()]
    failed = sum(not suite.passed for suite in all_suites)
    print(f"\nmatrix: {len(all_suites) - failed} passed, {failed} failed")
    return failed > 0
