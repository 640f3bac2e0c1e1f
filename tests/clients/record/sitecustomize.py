"""Records the outcome of each unittest test that this process runs, without importing unittest itself.

Put this folder in PYTHONPATH and set RECORD_OUTCOMES to a file. Each appended line is a JSON list: the kind of record,
the test's identity and, at its end, the outcome. This does not change what a client imports, or when: the methods of
unittest.result are wrapped when something else imports it.
"""

import importlib.abc
import importlib.machinery
import os
import sys

_TARGET = os.environ.get("RECORD_OUTCOMES")

# The current functions: clients replace the names in these modules.
_open, _write, _close = os.open, os.write, os.close
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)


def record(*fields):
    import json

    # One write for a short line, so that records of several processes do not mix.
    file = _open(_TARGET, _FLAGS, 0o644)
    try:
        _write(file, (json.dumps(fields) + "\n").encode())
    finally:
        _close(file)


def _identity(test):
    """Return the test's own identity, with __main__ replaced by the module that was run and its arguments."""
    identity = test.id()
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if identity.startswith("__main__.") and spec is not None:
        # sys.argv has changed by now.
        module = next(index for index, argument in enumerate(sys.orig_argv) if argument.endswith(spec.name))
        identity = " ".join([spec.name, *sys.orig_argv[module + 1 :]]) + identity[len("__main__") :]
    return identity


def _wrap(result_class):
    def wrapped(name, outcome):
        method = getattr(result_class, name)

        def replacement(self, test, *args):
            record("ended", _identity(test), outcome)
            return method(self, test, *args)

        setattr(result_class, name, replacement)

    # Skips and expected failures have their own methods. addError is called without a start for a fixture of a class.
    for name, outcome in [
        ("addSuccess", "passed"),
        ("addFailure", "failed"),
        ("addError", "failed"),
        ("addSkip", "skipped"),
        ("addExpectedFailure", "skipped"),
        ("addUnexpectedSuccess", "failed"),
    ]:
        wrapped(name, outcome)

    start = result_class.startTest
    add_sub_test = result_class.addSubTest

    def start_test(self, test):
        record("started", _identity(test))
        return start(self, test)

    def sub_test(self, test, subtest, error):
        if error is not None:
            record("ended", _identity(test), "failed")
        return add_sub_test(self, test, subtest, error)

    result_class.startTest = start_test
    result_class.addSubTest = sub_test


class _Loader(importlib.abc.Loader):
    def __init__(self, loader):
        self.loader = loader

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        self.loader.exec_module(module)
        module.__spec__.loader = module.__loader__ = self.loader
        _wrap(module.TestResult)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name != "unittest.result":
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        spec.loader = _Loader(spec.loader)
        return spec


if _TARGET and os.environ.get("RECORD_UNITTEST"):
    sys.meta_path.insert(0, _Finder())
