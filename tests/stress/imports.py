"""Memory runs out at each allocation of an import of greenlet._greenlet in turn.

usage: imports.py        needs CPython's own _testcapi

Allocations fail once, twice in a row, or from one on, each in a new process that has not imported the module. Only
MemoryError may be raised, and the next import must work. Allocations of importlib, before the module is executed, are
not tested.
"""

import _testcapi
import faulthandler
import importlib.util
import os
import sys
import traceback
from importlib.machinery import PathFinder

ENOUGH = 30  # after so many imports in a row without a failure, no allocation is left to fail
MOST = 3000
FAILED, IMPORTED, WRONG = range(3)  # exit codes
# CPython 3.13's dictionaries crash if growing them fails but the next allocation succeeds.
NUMBERS = (2, 10**6) if sys.version_info[:2] == (3, 13) else (1, 2, 10**6)


def find():
    package = importlib.util.find_spec("greenlet")
    return PathFinder.find_spec("greenlet._greenlet", package.submodule_search_locations)


def execute(spec):
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fail(spec, first, number):
    """Return whether the import fails."""
    module = importlib.util.module_from_spec(spec)
    execute_module = spec.loader.exec_module
    _testcapi.set_nomemory(first, first + number)
    try:
        execute_module(module)
    except MemoryError:
        return True
    finally:
        _testcapi.remove_mem_hooks()
    return False


def attempt(spec, first, number):
    try:
        result = FAILED if fail(spec, first, number) else IMPORTED
        module = execute(spec)
        g = module.greenlet(lambda value: module.getcurrent().parent.switch(value))
        assert (g.switch(1), g.switch(2)) == (1, 2)
    except BaseException:
        traceback.print_exc()
        return WRONG
    return result


def exhaust(spec, number):
    """Return how many imports failed, until no allocation is left to fail."""
    failures = in_a_row = 0
    for first in range(1, MOST):
        child = os.fork()
        if child == 0:
            os._exit(attempt(spec, first, number))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in (FAILED, IMPORTED), f"exit code {code} at allocation {first}, {number} failing"
        if code == FAILED:
            failures += 1
            in_a_row = 0
        else:
            in_a_row += 1
        if in_a_row == ENOUGH:
            return failures
    raise AssertionError("the import never succeeds")


def main():
    faulthandler.enable()
    spec = find()
    assert "greenlet" not in sys.modules
    print(" + ".join(str(exhaust(spec, number)) for number in NUMBERS), "failures")


if __name__ == "__main__":
    main()
