"""greenlet.on_thread_stack(): a greenlet calls a function on the thread's own stack."""

import contextvars
import ctypes
import inspect
import shutil
import signal
import subprocess
import sys
import threading

import pytest
from support.environment import HAS_ADDRESS_SANITIZER, HAS_OWN_SWITCH
from support.frames import deepest
from support.processes import output_of, run_python
from support.stacks import in_greenlet, is_on_thread_stack, libc, needs_stack_pointer, stack_pointer, thread_stack
from support.threads import in_thread

import greenlet as package
from greenlet import getcurrent, greenlet, on_thread_stack


def test_it_is_a_function_of_the_package():
    assert "on_thread_stack" in package.__all__
    assert str(inspect.signature(on_thread_stack)) == "(function, /, *args, **kwargs)"


@needs_stack_pointer
def test_the_function_runs_on_the_stack_of_the_thread():
    assert is_on_thread_stack()
    assert in_greenlet(lambda: (is_on_thread_stack(), on_thread_stack(is_on_thread_stack), is_on_thread_stack())) == (
        False,
        True,
        False,
    )


@needs_stack_pointer
def test_the_function_runs_below_the_frames_of_the_main_greenlet():
    here = stack_pointer()
    assert in_greenlet(lambda: on_thread_stack(stack_pointer)) < here


@pytest.mark.parametrize("where", [lambda f: f(), in_greenlet], ids=["main", "greenlet"])
def test_arguments_and_results_are_passed(where):
    def function(*args, **kwargs):
        return args, kwargs

    assert where(lambda: on_thread_stack(function)) == ((), {})
    assert where(lambda: on_thread_stack(function, 1, 2, a=3, b=4)) == ((1, 2), {"a": 3, "b": 4})
    assert where(lambda: on_thread_stack(function, *range(20), **{f"k{i}": i for i in range(20)})) == (
        tuple(range(20)),
        {f"k{i}": i for i in range(20)},
    )
    assert where(lambda: on_thread_stack(len, "abc")) == 3
    assert where(lambda: on_thread_stack("{} {}".format, 1, 2)) == "1 2"
    assert where(lambda: on_thread_stack(dict, function=1)) == {"function": 1}


@pytest.mark.parametrize("where", [lambda f: f(), in_greenlet], ids=["main", "greenlet"])
def test_exceptions_are_passed(where):
    def function():
        raise LookupError("from below")

    def run():
        with pytest.raises(LookupError, match="from below") as caught:
            on_thread_stack(function)
        return [entry.name for entry in caught.traceback]

    assert where(run) == ["run", "function"]


@pytest.mark.parametrize("where", [lambda f: f(), in_greenlet], ids=["main", "greenlet"])
def test_bad_arguments_are_a_type_error(where):
    def run():
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'function'"):
            on_thread_stack()
        with pytest.raises(TypeError):
            on_thread_stack(function=len)
        with pytest.raises(TypeError, match="not callable"):
            on_thread_stack(1)
        with pytest.raises(TypeError):
            on_thread_stack(len)

    where(run)


def test_references_are_balanced():
    argument = object()

    def function(*args, **kwargs):
        return args[0]

    def run():
        for _ in range(100):
            assert on_thread_stack(function, argument, argument, name=argument) is argument

    in_greenlet(run)
    before = sys.getrefcount(argument), sys.getrefcount(function)
    in_greenlet(run)
    assert (sys.getrefcount(argument), sys.getrefcount(function)) == before


@needs_stack_pointer
def test_in_the_main_greenlet_it_is_a_plain_call():
    here = stack_pointer()
    assert on_thread_stack(is_on_thread_stack)
    assert 0 < here - on_thread_stack(stack_pointer) < 100_000


@needs_stack_pointer
def test_nested_calls_are_plain():
    def nested(depth):
        return [is_on_thread_stack(), *(on_thread_stack(nested, depth - 1) if depth else [])]

    assert in_greenlet(lambda: on_thread_stack(nested, 3)) == [True] * 4


@needs_stack_pointer
def test_it_can_be_called_again_and_again_between_switches():
    main = getcurrent()

    def run():
        while True:
            main.switch(on_thread_stack(is_on_thread_stack))

    greenlets = [greenlet(run) for _ in range(10)]
    for _ in range(20):
        assert [g.switch() for g in greenlets] == [True] * 10


@needs_stack_pointer
def test_it_works_in_other_threads():
    def run():
        stack = thread_stack()
        return in_greenlet(lambda: on_thread_stack(stack_pointer)) in stack

    assert in_thread(run)


@needs_stack_pointer
def test_it_works_in_threads_at_once():
    outcomes = []

    def run():
        stack = thread_stack()
        together.wait()
        outcomes.append(all(in_greenlet(lambda: on_thread_stack(stack_pointer)) in stack for _ in range(300)))

    together = threading.Barrier(4)
    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [True] * 4


def test_the_greenlet_stays_the_current_one():
    g = greenlet(lambda: (on_thread_stack(getcurrent), on_thread_stack(lambda: bool(getcurrent()))))
    assert g.switch() == (g, True)


def test_the_frames_are_the_greenlets():
    def function():
        frame = sys._getframe()
        return [frame.f_code.co_name, frame.f_back.f_code.co_name, frame.f_back.f_back]

    def run():
        return on_thread_stack(function)

    assert in_greenlet(run) == ["function", "run", None]


def test_the_context_is_the_greenlets():
    variable = contextvars.ContextVar("variable", default="of nobody")

    def run():
        variable.set("of the greenlet")
        before = on_thread_stack(variable.get)
        on_thread_stack(variable.set, "set below")
        return before, variable.get()

    assert in_greenlet(run) == ("of the greenlet", "set below")
    assert variable.get() == "of nobody"


def test_the_handled_exception_is_the_greenlets():
    def function():
        return sys.exception() if sys.version_info >= (3, 12) else sys.exc_info()[1]

    def run():
        try:
            raise LookupError("handled")
        except LookupError as handled:
            return on_thread_stack(function) is handled, on_thread_stack(sys.exc_info)[1] is handled

    assert in_greenlet(run) == (True, True)


def test_the_recursion_depth_is_the_greenlets():
    def run():
        return deepest() - on_thread_stack(deepest), deepest()

    difference, after = in_greenlet(run)
    assert abs(difference) <= 2
    assert after == in_greenlet(lambda: deepest())


def down_through_c(depth):
    return max(map(down_through_c, [depth - 1])) + 1 if depth else 0


# tdestroy() recurses into the children of a node of tsearch(), without the interpreter's stack checks. A node is a key
# and two pointers.
NEST = """
import ctypes, sys
from greenlet import greenlet, on_thread_stack, stack_size

stack_size(256 << 10)
libc = ctypes.PyDLL(None)
libc.malloc.restype = ctypes.c_void_p
Node = ctypes.c_void_p * 3

def nest(depth):
    child = None
    for _ in range(depth):
        address = libc.malloc(ctypes.sizeof(Node))
        Node.from_address(address)[:] = None, child, None
        child = address
    libc.tdestroy(ctypes.c_void_p(child), libc.free)
    return 0
"""


def most_nested():
    """Return how deep tdestroy() can recurse on the stack of the main thread, within 2 %."""
    works, fails = 100, 1_000_000
    while fails - works > works // 50:
        depth = (works + fails) // 2
        done = run_python(NEST + f"print(nest({depth}))", faulthandler=False)
        works, fails = (depth, fails) if done.returncode == 0 else (works, depth)
    return works


@pytest.mark.skipif(not hasattr(libc, "tdestroy"), reason="the C library has no tdestroy()")
@pytest.mark.skipif(HAS_ADDRESS_SANITIZER, reason="frames are larger")
def test_seven_eighths_of_the_threads_stack_can_be_used_though_the_greenlet_has_256_kibibytes():
    depth = most_nested() * 9 // 10
    assert output_of(NEST + f"print(greenlet(lambda: on_thread_stack(nest, {depth})).switch())") == "0\n"
    assert run_python(NEST + f"print(greenlet(nest).switch({depth}))", faulthandler=False).returncode == -signal.SIGSEGV


@pytest.mark.skipif(sys.version_info < (3, 12), reason="CPython 3.11 has one limit for all kinds of recursion")
def test_the_interpreter_reckons_with_the_stack_of_the_thread(stack_size):
    def deepest():
        depth = 0

        def recurse(_):
            nonlocal depth
            depth += 1
            max(map(recurse, [0]))

        before = sys.getrecursionlimit()
        sys.setrecursionlimit(1_000_000)
        try:
            with pytest.raises(RecursionError):
                recurse(0)
        finally:
            sys.setrecursionlimit(before)
        return depth

    in_main = deepest()
    stack_size(256 << 10)
    in_small, below, in_small_again = in_greenlet(lambda: (deepest(), on_thread_stack(deepest), deepest()))
    assert in_small == in_small_again < in_main / 3
    assert in_main * 0.8 <= below <= in_main * 1.01


def test_recursion_below_is_stopped_again_and_again():
    def run():
        for _ in range(5):
            with pytest.raises(RecursionError):
                on_thread_stack(down_through_c, 10_000_000)
        return down_through_c(50)

    assert in_greenlet(run) == 50


def test_the_tracer_of_greenlets_sees_nothing_of_it():
    events = []

    def run():
        del events[:]
        on_thread_stack(len, "abc")
        return list(events)

    package.settrace(lambda event, greenlets: events.append(event))
    try:
        assert in_greenlet(run) == []
    finally:
        package.settrace(None)


@pytest.mark.skipif(not hasattr(libc, "backtrace"), reason="the C library has no backtrace()")
@pytest.mark.skipif(not HAS_OWN_SWITCH, reason="an unwinder ends there")
def test_a_native_backtrace_goes_on_to_the_frames_of_the_greenlet():
    def frames():
        return libc.backtrace((ctypes.c_void_p * 300)(), 300)

    def nested(depth):
        return max(map(nested, [depth - 1])) if depth else (frames(), on_thread_stack(frames))

    plainly, below = in_greenlet(nested, 20)
    assert plainly > 60
    assert plainly < below < plainly + 20


@pytest.mark.skipif(shutil.which("gdb") is None, reason="gdb is not installed")
@pytest.mark.skipif(not HAS_OWN_SWITCH, reason="an unwinder ends there")
@pytest.mark.skipif(HAS_ADDRESS_SANITIZER, reason="has to be loaded before gdb's own libraries")
def test_gdb_goes_on_to_the_frames_of_the_greenlet(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("""
import faulthandler  # its function reads from address 0, in code that an unwinder knows: musl's abort() is none
from greenlet import greenlet, on_thread_stack

def nested(depth):
    return max(map(nested, [depth - 1])) if depth else on_thread_stack(faulthandler._read_null)

greenlet(nested).switch(10)
""")
    done = subprocess.run(
        [
            "gdb",
            "--batch",
            "-iex",
            "set auto-load no",
            "-iex",
            "set debuginfod enabled off",
            "-ex",
            "run",
            "-ex",
            "backtrace",
            "--args",
            sys.executable,
            str(program),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if "ptrace" in done.stderr or "SIGSEGV" not in done.stdout:
        pytest.skip("gdb can't run programs here")
    frames = [line for line in done.stdout.splitlines() if line.startswith("#")]
    assert "corrupt stack" not in done.stdout
    assert len(frames) > 11 * 4, done.stdout  # each level of nested() takes some
