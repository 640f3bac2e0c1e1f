"""Hooks of the interpreter (`sys.setprofile()`, `sys.settrace()` and `sys.monitoring`) for random programs.

Hooks call the program's method see(). See survival.py.
"""

import inspect
import opcode
import sys

IS_DEBUG_BUILD = hasattr(sys, "gettotalrefcount")
# Up to CPython 3.13 a native generator can be resumed by the hook that is called for its yield. It then waits for
# itself, and CPython, which follows that chain to find the handled exception, never ends or crashes. So hooks do
# nothing there.
RESUMABLE_AT_YIELD = sys.version_info < (3, 14)
OF_GENERATORS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR  # flags of code objects
TOOL = 4  # of sys.monitoring


def may_raise(error, frame):
    """Return whether a hook that is called for the frame may raise the error.

    CPython's debug builds assert that an exception in the yield of a `yield from` was thrown there, and that a
    generator never raises StopIteration. A hook can break both.
    """
    at_yield = frame.f_code.co_code[frame.f_lasti] == opcode.opmap["YIELD_VALUE"]
    return not (IS_DEBUG_BUILD and (at_yield or isinstance(error, StopIteration)))


def is_resumable(frame, event, *_):
    """Return whether a trace or profile function is called for a native generator that yields or returns."""
    return RESUMABLE_AT_YIELD and event == "return" and frame.f_code.co_flags & OF_GENERATORS != 0


def monitor(program, *events):
    """Report only these events of all code to a program."""
    if sys.monitoring.get_tool(TOOL) is None:
        sys.monitoring.use_tool_id(TOOL, "random program")
    for event in events:
        sys.monitoring.register_callback(TOOL, event, program.see)
    sys.monitoring.set_events(TOOL, sum(events))


OPERATIONS = [
    lambda p: sys.setprofile(p.see),
    lambda p: sys.setprofile(None),
    lambda p: sys.settrace(p.see),
    lambda p: sys.settrace(None),
]
if sys.version_info >= (3, 12):
    EVENTS = sys.monitoring.events
    PY_YIELD = [] if RESUMABLE_AT_YIELD else [EVENTS.PY_YIELD]
    OPERATIONS += [
        lambda p: monitor(p, EVENTS.PY_START, EVENTS.PY_RETURN, *PY_YIELD, EVENTS.PY_RESUME),
        lambda p: monitor(p, EVENTS.PY_THROW, EVENTS.PY_UNWIND, EVENTS.RAISE, EVENTS.EXCEPTION_HANDLED),
        lambda p: monitor(p, EVENTS.LINE, EVENTS.CALL),
        lambda p: monitor(p),
    ]


def unhook():
    sys.setprofile(None)
    sys.settrace(None)
    if sys.version_info >= (3, 12) and sys.monitoring.get_tool(TOOL) is not None:
        monitor(None)


def calls_them():
    """Return False if a hook has switched away and was never resumed, because no hooks are called then."""
    seen = []
    sys.setprofile(lambda *arguments: seen.append(arguments))
    sys.setprofile(None)
    return len(seen) > 0
