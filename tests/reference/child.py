"""Runs tests of the reference suite in this process and writes their outcomes, one JSON object a line.

usage: child.py REPORT TIME_LIMIT KEEP_LEAK_MARKS TEST_ID...

A test that crashes the interpreter or hangs ends the process. So each line is written at once: first that
a test starts, then its outcome. The parent (run.py) starts a new process for the remaining tests.
"""

import faulthandler
import json
import sys
import traceback
import unittest


def remove_leak_marks() -> None:
    """Make the suite's "this test leaks" decorators do nothing, so that those tests must not leak.

    The suite marks tests on which the reference leaks with `fails_leakcheck` and similar decorators, and
    then *requires* the leak ("Expected ... to leak but it did not"). This package may not leak: without
    the marks, these tests go through the same leak check as all others. The decorators are replaced
    before the test modules import them. `ignores_leakcheck`, which marks tests that are unsuited to the
    check, stays.
    """
    from greenlet.tests import leakcheck

    def unmarked(function):
        return function

    for name in ("fails_leakcheck", "fails_leakcheck_on_py314_or_less", "fails_strict_leakcheck"):
        if not hasattr(leakcheck, name):
            raise SystemExit(f"greenlet.tests.leakcheck has no {name} any more")
        setattr(leakcheck, name, unmarked)


class ReportingResult(unittest.TestResult):
    """Writes the lines, and lets faulthandler end the process when a test passes its time limit."""

    def __init__(self, report, time_limit: float):
        super().__init__()
        self._report = report
        self._time_limit = time_limit
        self._outcome = "passed"
        self._detail = ""

    def _write(self, **line) -> None:
        self._report.write(json.dumps(line) + "\n")
        self._report.flush()

    def startTest(self, test):
        super().startTest(test)
        self._outcome, self._detail = "passed", ""
        self._write(start=test.id())
        faulthandler.dump_traceback_later(self._time_limit, exit=True)

    def stopTest(self, test):
        faulthandler.cancel_dump_traceback_later()
        self._write(test=test.id(), outcome=self._outcome, detail=self._detail)
        super().stopTest(test)

    def _failed(self, error) -> None:
        self._outcome = "failed"
        self._detail += "".join(traceback.format_exception(*error))

    # The methods of the base class keep the traceback and its frames alive, which a leak check would see.

    def addError(self, test, err):
        if not isinstance(test, unittest.TestCase):
            # setUpClass or setUpModule failed, so no test of the class will start. The parent reports this.
            traceback.print_exception(*err)
        self._failed(err)

    def addFailure(self, test, err):
        self._failed(err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self._detail += f"{subtest}\n"
            self._failed(err)

    def addSkip(self, test, reason):
        if self._outcome == "passed":
            self._outcome, self._detail = "skipped", reason

    def addExpectedFailure(self, test, err):
        pass

    def addUnexpectedSuccess(self, test):
        self._outcome, self._detail = "failed", "unexpected success"


def main() -> None:
    report_path, time_limit, keep_leak_marks, *names = sys.argv[1:]
    faulthandler.enable()
    if keep_leak_marks != "yes":
        remove_leak_marks()
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    with open(report_path, "a", encoding="utf-8") as report:
        suite.run(ReportingResult(report, float(time_limit)))


if __name__ == "__main__":
    main()
