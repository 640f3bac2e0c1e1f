"""greenlet.on_thread_stack() in other interpreters of the process."""

import inspect
import sys
import sysconfig

import pytest
from support.environment import HAS_ADDRESS_SANITIZER
from support.processes import output_of
from support.stacks import (
    STORES,
    STORING,
    in_greenlet,
    is_on_thread_stack,
    libc,
    needs_stack_pointer,
    stack_pointer,
    thread_stack,
)

needs_interpreters = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="this CPython can't run other interpreters from Python"
)

STACKS = (
    """
import ctypes, platform, sys, threading
from greenlet import error, getcurrent, greenlet, on_thread_stack
"""
    + "\n".join(inspect.getsource(f) for f in (stack_pointer, thread_stack, is_on_thread_stack, in_greenlet))
    + f"""
libc = ctypes.CDLL(None)
STORING, STORES = {STORING!r}, {STORES!r}
"""
)

INTERPRETERS = (
    STACKS
    + """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

def run(code, kind):
    new = interpreters.create(kind) if sys.version_info >= (3, 13) else interpreters.create(isolated=kind == "isolated")
    try:
        failure = interpreters.run_string(new, STACKS + code)
        if failure is not None:
            raise RuntimeError(failure)
    finally:
        interpreters.destroy(new)
"""
)

CHECK = """
assert in_greenlet(lambda: on_thread_stack(is_on_thread_stack))
assert on_thread_stack(is_on_thread_stack)
main = getcurrent()
def refused():
    try:
        on_thread_stack(main.switch)
    except error:
        return True
assert in_greenlet(refused)
"""


@needs_interpreters
@needs_stack_pointer
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(
            "isolated", marks=pytest.mark.skipif(sys.version_info < (3, 13), reason="ctypes can't be imported there")
        ),
        "legacy",
    ],
)
@pytest.mark.parametrize(
    "where",
    [
        "run(CHECK, kind)",
        "greenlet(run).switch(CHECK, kind)",  # in a greenlet of another interpreter
        "greenlet(lambda: on_thread_stack(run, CHECK, kind)).switch()",  # on the thread's stack, below that greenlet
        "t = threading.Thread(target=lambda: greenlet(run).switch(CHECK, kind)); t.start(); t.join()",
    ],
)
def test_it_works_in_other_interpreters(kind, where):
    assert (
        output_of(
            INTERPRETERS
            + f"""
STACKS = {STACKS!r}
CHECK = {CHECK + "print('checked', flush=True)"!r}
kind = {kind!r}
{where}
"""
        )
        == "checked\n"
    )


@needs_stack_pointer
@pytest.mark.skipif(
    sysconfig.get_config_var("Py_GIL_DISABLED") == 1 and sys.version_info < (3, 14),
    reason="the collector of 3.13t scans the main greenlet's stack",
)
@pytest.mark.skipif(HAS_ADDRESS_SANITIZER, reason="the tool warns about makecontext()")
@pytest.mark.skipif(not hasattr(libc, "makecontext"), reason="the C library has no makecontext()")
def test_it_is_refused_where_the_main_greenlet_runs_on_a_stack_that_is_not_the_threads():
    # Switches to another stack with the C library's swapcontext().
    assert (
        output_of(
            STACKS
            + """
outcome = []

@ctypes.CFUNCTYPE(None)
def elsewhere():
    try:
        on_thread_stack(len, "abc")
    except error as refusal:
        outcome.append(str(refusal))

stack = ctypes.create_string_buffer(1 << 22)
here, there = ctypes.create_string_buffer(8192), ctypes.create_string_buffer(8192)
libc.getcontext(there)
word = ctypes.sizeof(ctypes.c_void_p)
ctypes.memmove(ctypes.addressof(there) + word, ctypes.byref(ctypes.c_void_p(ctypes.addressof(here))), word)
ctypes.memmove(ctypes.addressof(there) + 2 * word, ctypes.byref(ctypes.c_void_p(ctypes.addressof(stack))), word)
ctypes.memmove(ctypes.addressof(there) + 4 * word, ctypes.byref(ctypes.c_size_t(len(stack))), word)
libc.makecontext(there, elsewhere, 0)
if sys.version_info >= (3, 14):
    print("refused")  # the interpreter itself takes another stack for an overflow
    sys.exit()
libc.swapcontext(here, there)
print("refused" if "main greenlet is on another one" in outcome[0] else outcome)
"""
        )
        == "refused\n"
    )
