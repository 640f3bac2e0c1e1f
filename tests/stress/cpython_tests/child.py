"""Runs tests of one of CPython's test files in this process, plainly or within one greenlet. Records their outcomes.

usage: child.py plain|greenlet DONE RECORDS FILE

The tests in the JSON list DONE are skipped. Each line appended to RECORDS is a JSON list: a test's identity when it
starts, and again with its outcome when it ends. Tracebacks go to standard output.

A plain run does not import the package. Otherwise the greenlet runs everything: the import of the file, its fixtures
and its tests. The main greenlet writes the records, so there is a switch before and after each test.
"""

import ctypes
import faulthandler
import json
import signal
import sys
import traceback
import unittest
from collections.abc import Callable, Iterator
from pathlib import Path

Write = Callable[[list[str]], object]


class Recorder(unittest.TestResult):
    def __init__(self, write: Write):
        super().__init__()
        self._write = write
        self._outcome = "passed"

    def startTest(self, test):
        super().startTest(test)
        self._outcome = "passed"
        self._write([test.id()])

    def stopTest(self, test):
        super().stopTest(test)
        self._write([test.id(), self._outcome])

    def _note(self, test, outcome: str, error) -> None:
        self._outcome = outcome
        print(f"--- {outcome}: {test.id()}", *traceback.format_exception(*error), sep="\n", flush=True)
        if not isinstance(test, unittest.TestCase):  # a fixture of a class or module has failed
            self._write([test.id(), outcome])

    def addError(self, test, err):
        self._note(test, "error", err)

    def addFailure(self, test, err):
        self._note(test, "failed", err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self._note(subtest, "failed" if issubclass(err[0], test.failureException) else "error", err)

    def addSkip(self, test, reason):
        if self._outcome == "passed":  # unless another subtest failed
            self._outcome = "skipped"

    def addExpectedFailure(self, test, err):
        pass

    def addUnexpectedSuccess(self, test):
        self._outcome = "failed"


def tests_of(suite) -> Iterator[unittest.TestCase]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        else:
            yield test


def suite_of(file: str, done: set[str]) -> unittest.TestSuite:
    tests = tests_of(unittest.defaultTestLoader.loadTestsFromName(f"test.{file}"))
    return unittest.TestSuite(test for test in tests if test.id() not in done)


def run(file: str, done: set[str], write: Write) -> None:
    from test import support

    support.verbose = False
    support.use_resources = {}  # excludes tests that need a network, a display, much memory or much time
    try:
        suite = suite_of(file, done)
    except unittest.SkipTest as reason:
        print(f"{file} is skipped: {reason}")
    else:
        suite.run(Recorder(write))


def run_in_greenlet(file: str, done: set[str], write: Write) -> None:
    from greenlet import getcurrent, greenlet

    main = getcurrent()
    runner = greenlet(run)
    record = runner.switch(file, done, main.switch)
    while not runner.dead:
        record = runner.switch(write(record))


WAYS = {"plain": run, "greenlet": run_in_greenlet}


def end_with_parent() -> None:
    """Let the system kill this process when its parent ends, because it is in a session of its own."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    end_with_parent()
    way, done, records, file = sys.argv[1:]
    faulthandler.enable()
    with open(records, "a", encoding="utf-8", buffering=1) as output:
        WAYS[way](file, set(json.loads(Path(done).read_text())), lambda record: print(json.dumps(record), file=output))


if __name__ == "__main__":
    main()
