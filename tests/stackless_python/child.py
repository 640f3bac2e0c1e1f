"""Runs tests of one module of Stackless Python's suite in this process. Writes the outcomes, one JSON object per line.

usage: child.py FOLDER MODULE REPORT TIME_LIMIT list | TEST_ID...

It also provides what the suite needs of Stackless's interpreter beyond the documented API: attributes that show the
tasklets' C stacks, and modules that only that interpreter has.
"""

import builtins
import contextvars
import faulthandler
import json
import os
import subprocess
import sys
import threading
import traceback
import types
import unittest
from pathlib import Path

import greenlet.stackless as stackless


def call(function, *args, **kwargs):
    return function(*args, **kwargs)


def install() -> None:
    """Make this package importable as `stackless`."""
    info = stackless.get_thread_info

    def get_thread_info(thread_id=-1, flags=0):
        basic = info() if thread_id == -1 else info(thread_id)
        # The undocumented items: two serial numbers and a C stack; a list of watchdogs.
        return basic + ((0, 0, None) if flags & 1 << 30 else ()) + (([None],) if flags & 1 << 31 else ())

    def test_cframe(switches, words=0):
        for _ in range(switches):
            stackless.schedule()

    sys.modules["stackless"] = stackless
    builtins.TaskletExit = stackless.TaskletExit
    stackless.get_thread_info = get_thread_info
    stackless._test_nostacklesscall = call
    stackless.__reduce__ = lambda: "stackless"
    helpers = sys.modules["_teststackless"] = types.ModuleType("_teststackless")
    helpers.test_cstate = call
    helpers.test_cframe = test_cframe


def adapt(folder: str) -> None:
    """Adapt the suite to a newer CPython, and to the processes that it starts."""
    import test.support

    if not hasattr(test.support, "run_unittest"):
        test.support.run_unittest = None
    import support

    support.get_tasklets_with_cstate = list
    start = subprocess.call
    (Path(folder) / "stackless.py").write_text(
        f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\nimport child\nchild.install()\n"
    )

    def with_this_package(command, **options):
        command = [part for part in command if part not in ("-s", "-S", "-E", "-I")]
        return start(command, **options, timeout=10, env={**os.environ, "PYTHONPATH": folder})

    subprocess.call = with_this_package


def tests_of(module: str) -> dict[str, unittest.TestCase]:
    """The tests of hard switching, by id. The suite has each test twice; the names of these end in _H."""
    found = {}

    def add(suite):
        for each in suite:
            if isinstance(each, unittest.TestSuite):
                add(each)
            elif getattr(getattr(each, each._testMethodName), "enable_softswitch", None) is not True:
                found[each.id()] = each

    add(unittest.defaultTestLoader.loadTestsFromName(module))
    return found


class Result(unittest.TestResult):
    def __init__(self, report, time_limit: float):
        super().__init__()
        self.report, self.time_limit = report, time_limit

    def write(self, **line) -> None:
        self.report.write(json.dumps(line) + "\n")
        self.report.flush()

    def startTest(self, test):
        super().startTest(test)
        self.outcome, self.detail = "passed", ""
        self.write(start=test.id())
        faulthandler.dump_traceback_later(self.time_limit, exit=True)

    def stopTest(self, test):
        faulthandler.cancel_dump_traceback_later()
        self.write(test=test.id(), outcome=self.outcome, detail=self.detail)
        super().stopTest(test)

    def fail(self, error):
        self.outcome, self.detail = "failed", "".join(traceback.format_exception(*error))

    def addError(self, test, err):
        self.fail(err)

    def addFailure(self, test, err):
        self.fail(err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.fail(err)

    def addSkip(self, test, reason):
        self.outcome, self.detail = "skipped", reason

    def addExpectedFailure(self, test, err):
        self.outcome = "skipped"

    def addUnexpectedSuccess(self, test):
        self.outcome = "passed"


def main() -> None:
    folder, module, report, time_limit, *names = sys.argv[1:]
    sys.path.insert(0, folder)
    install()
    adapt(folder)
    tests = tests_of(module)
    with open(report, "a") as stream:
        if names == ["list"]:
            stream.write(json.dumps(list(tests)))
            return
        result = Result(stream, float(time_limit))
        for name in names:
            # Each test runs in a new context, because the tests do not restore theirs.
            contextvars.copy_context().run(tests[name].run, result)
            is_tidy = stackless.getruncount() == 1 and stackless.current.is_main and threading.active_count() == 1
            if result.outcome == "failed" and not is_tidy:
                return  # the tasklets or threads left behind would make the next tests fail


if __name__ == "__main__":
    main()
