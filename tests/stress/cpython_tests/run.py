"""Runs CPython's own tests plainly and within a greenlet, and compares the outcomes.

usage: PYTHON run.py [FILE...]       a FILE is test_ast, test_json, ...; by default all of files.py

PYTHON is the interpreter whose tests are run; it has CPython's package `test`, and this project's package. Each file
runs in two processes at the same time; in one of them everything runs within one greenlet (child.py). A test that
passes plainly has to pass in the greenlet too. If one does not, its file is repeated three times both ways: the test is
flaky if it passes in the greenlet each time, or fails plainly, and otherwise it is a failure. Tests that differ for a
known reason are listed in differences.toml, and must differ.

The records and the output of the processes go to build/cpython-tests/VERSION/, a folder for each file.
"""

import collections
import concurrent.futures
import dataclasses
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

from files import FILES

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "clients"))

from processes import kill_group

WAYS = ("plain", "greenlet")
REPEATS = 3
MOST_CRASHES = 20  # in a file
SECONDS = 300 if hasattr(sys, "gettotalrefcount") else 120  # time limit of a test
MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
VERSION = f"{sys.version.split()[0]}{sys.abiflags}"
WORK = ROOT / "build" / "cpython-tests" / VERSION

Outcomes = dict[str, str]  # of each test


# --- one way --------------------------------------------------------------------------------------------------------


def wait(process: subprocess.Popen, records: Path) -> int | None:
    """Return the exit status, or None if no test started or ended for too long."""
    while True:
        size = records.stat().st_size
        try:
            return process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            if records.stat().st_size == size:
                process.send_signal(signal.SIGABRT)  # faulthandler writes the traceback
                time.sleep(1)
                return None


def run_process(command: list[str], records: Path, log: Path) -> int | None:
    """Run a process with a folder of its own for its files. Returns its exit status, or None if it timed out."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, open(log, "ab") as output:
        environment = {**os.environ, "TMPDIR": folder, "PYTHONHASHSEED": "0"}
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return wait(process, records)
        finally:
            kill_group(process)


def ending(status: int | None) -> str:
    if status is None:
        return "timed out"
    return f"crashed ({signal.Signals(-status).name})" if status < 0 else f"crashed (exit status {status})"


def read(records: Path) -> tuple[Outcomes, str | None]:
    """Return the worst outcome of each test that ended, and the test that did not end."""
    order = ["passed", "skipped", "failed", "error"]
    outcomes: Outcomes = {}
    running = None
    for line in records.read_text().splitlines():
        test, *outcome = json.loads(line)
        if outcome:
            outcomes[test] = max(*outcome, outcomes.get(test, "passed"), key=order.index)
        running = None if outcome else test
    return outcomes, running


def run(file: str, way: str, folder: Path) -> Outcomes:
    """Run the tests of a file. After a crash a new process runs the remaining tests."""
    folder.mkdir(parents=True)
    outcomes: Outcomes = {}
    done, records = folder / "done", folder / "records"
    command = [sys.executable, str(HERE / "child.py"), way, str(done), str(records), file]
    for _ in range(MOST_CRASHES):
        done.write_text(json.dumps([*outcomes]))
        records.write_text("")
        status = run_process(command, records, folder / "log")
        ended, running = read(records)
        outcomes |= ended
        if status == 0:
            return outcomes
        outcomes[running or f"(end of {file})"] = ending(status)
        if running is None:
            return outcomes
    return outcomes | {f"(end of {file})": f"not reached, after {MOST_CRASHES} crashes"}


# --- both ways ------------------------------------------------------------------------------------------------------


def run_both(file: str, folder: Path) -> list[Outcomes]:
    shutil.rmtree(folder, ignore_errors=True)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return [*pool.map(lambda way: run(file, way, folder / way), WAYS)]


def is_end(test: str) -> bool:
    """Return whether this is the end of a process instead of a test."""
    return test.startswith("(end of ")


def differences(plain: Outcomes, in_greenlet: Outcomes) -> Outcomes:
    """Return the outcome in the greenlet of each test that passes only plainly."""
    passed = [test for test, outcome in plain.items() if outcome == "passed"]
    ends = [test for test in in_greenlet if is_end(test) and test not in plain]
    return {test: outcome for test in passed + ends if (outcome := in_greenlet.get(test, "not run")) != "passed"}


@dataclasses.dataclass
class Repeats:
    """How often a test failed in all runs."""

    runs: int = 1
    plain: int = 0
    in_greenlet: int = 1

    def add(self, test: str, plain: Outcomes, in_greenlet: Outcomes) -> None:
        missing = "passed" if is_end(test) else "not run"
        self.runs += 1
        self.plain += plain.get(test, missing) != "passed"
        self.in_greenlet += in_greenlet.get(test, missing) != "passed"

    @property
    def is_flaky(self) -> bool:
        return self.plain > 0 or self.in_greenlet == 1

    def __str__(self) -> str:
        return f"did not pass in {self.in_greenlet} of {self.runs} runs in a greenlet, in {self.plain} plainly"


def repeat(file: str, tests: list[str]) -> dict[str, Repeats]:
    repeats = {test: Repeats() for test in tests}
    for number in range(1, REPEATS + 1) if tests else ():
        outcomes = run_both(file, WORK / file / f"repeat {number}")
        for test in tests:
            repeats[test].add(test, *outcomes)
    return repeats


def listed_differences() -> set[str]:
    """Return the tests that differences.toml lists for this version."""
    entries = tomllib.loads((HERE / "differences.toml").read_text()).get("difference", [])
    return {test for entry in entries if entry["reason"] and MINOR in entry["versions"] for test in entry["tests"]}


def compare(file: str, listed: set[str]) -> collections.Counter:
    """Run a file both ways, and print the result."""
    plain, in_greenlet = run_both(file, WORK / file / "first")
    differing = differences(plain, in_greenlet)
    expected = {test for test in listed if test.startswith(f"test.{file}.") and plain.get(test, "passed") == "passed"}
    both = sum(outcome == "passed" for outcome in plain.values()) - len(
        [test for test in differing if not is_end(test)]
    )
    count = collections.Counter(files=1, both=both, listed=len(differing.keys() & expected))
    print(f"{file}: {both} pass both ways", flush=True)
    for test, repeats in repeat(file, sorted(differing.keys() - expected)).items():
        count["flaky" if repeats.is_flaky else "different"] += 1
        print(f"    {'flaky' if repeats.is_flaky else 'DIFFERENT'}: {test}: {differing[test]}; {repeats}", flush=True)
    for test in sorted(expected - differing.keys()):
        count["obsolete"] += 1
        print(f"    NOT DIFFERENT, but listed: {test}", flush=True)
    return count


def main() -> int:
    files = [file for file in sys.argv[1:] or FILES if importlib.util.find_spec(f"test.{file}")]
    if not files:
        print(f"cpython-tests: skipped: CPython {VERSION} is installed without its tests")
        return 0
    listed = listed_differences()
    count = sum((compare(file, listed) for file in files), collections.Counter())
    print(
        f"cpython-tests: {VERSION}: {count['both']} tests of {count['files']} files pass both ways, {count['different']} only "
        f"plainly, {count['listed']} as listed, {count['obsolete']} listed in vain, {count['flaky']} flaky"
    )
    return 1 if count["different"] or count["obsolete"] or not count["both"] else 0


if __name__ == "__main__":
    sys.exit(main())
