"""greenlet.on_thread_stack(): a call on the thread's own stack, from a greenlet that has another one."""

import contextvars
import ctypes
import gc
import inspect
import platform
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import weakref

import greenlet as package
import pytest
from greenlet import aio, error, getcurrent, greenlet, on_thread_stack, stackless
from greenlet.generators import generator, yield_
from support.environment import HAS_ADDRESS_SANITIZER, IS_FREE_THREADED
from support.greenlets import collect, suspended
from support.processes import output_of, run_python
from support.scheduler import WITH_A_SCHEDULER
from support.threads import in_thread

libc = ctypes.CDLL(None)
CAN_TELL_STACKS = hasattr(libc, "getcontext") and platform.machine() in ("x86_64", "aarch64")
needs_stack_pointer = pytest.mark.skipif(not CAN_TELL_STACKS, reason="the C library does not tell the stack pointer")


def stack_pointer():
    """Where the running thread of control has its stack."""
    context = ctypes.create_string_buffer(8192)
    libc.getcontext(context)
    offset = {"x86_64": 160, "aarch64": 432}[platform.machine()]
    return int.from_bytes(context.raw[offset:offset + 8], sys.byteorder)


def thread_stack():
    """The bounds of the running thread's own stack, as the system has them."""
    attributes = ctypes.create_string_buffer(256)
    low, size = ctypes.c_void_p(), ctypes.c_size_t()
    thread = ctypes.c_void_p(threading.get_ident())
    assert libc.pthread_getattr_np(thread, attributes) == 0
    assert libc.pthread_attr_getstack(attributes, ctypes.byref(low), ctypes.byref(size)) == 0
    assert libc.pthread_attr_destroy(attributes) == 0
    return range(low.value, low.value + size.value)


def is_on_thread_stack():
    return stack_pointer() in thread_stack()


def in_greenlet(function, *args):
    return greenlet(function).switch(*args)


# --- the call -------------------------------------------------------------------------------------------------------


def test_it_is_a_function_of_the_package():
    assert "on_thread_stack" in package.__all__
    assert str(inspect.signature(on_thread_stack)) == "(function, /, *args, **kwargs)"


@needs_stack_pointer
def test_the_function_runs_on_the_stack_of_the_thread():
    assert is_on_thread_stack()
    assert in_greenlet(lambda: (is_on_thread_stack(), on_thread_stack(is_on_thread_stack), is_on_thread_stack())) == (
        False, True, False)


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
        tuple(range(20)), {f"k{i}": i for i in range(20)})
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


# --- what stays the greenlet's ---------------------------------------------------------------------------------------


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
    def deepest():
        depth = 0

        def recurse():
            nonlocal depth
            depth += 1
            recurse()

        with pytest.raises(RecursionError):
            recurse()
        return depth

    def run():
        return deepest() - on_thread_stack(deepest), deepest()

    difference, after = in_greenlet(run)
    assert abs(difference) <= 2
    assert after == in_greenlet(lambda: deepest())


# --- the stack ------------------------------------------------------------------------------------------------------


def down_through_c(depth):
    return max(map(down_through_c, [depth - 1])) + 1 if depth else 0


# regcomp() calls itself for each parenthesis, and the interpreter can not tell.
NEST = """
import ctypes, sys
from greenlet import greenlet, on_thread_stack, stack_size

stack_size(256 << 10)
libc = ctypes.PyDLL(None)

def nest(depth):
    return libc.regcomp(ctypes.create_string_buffer(256), b"(" * depth + b"x" + b")" * depth, 1)
"""


def most_nested():
    """How deep regcomp() can nest on the stack of the main thread, within 2 %."""
    works, fails = 100, 1_000_000
    while fails - works > works // 50:
        depth = (works + fails) // 2
        done = run_python(NEST + f"print(nest({depth}))", faulthandler=False)
        works, fails = (depth, fails) if done.returncode == 0 else (works, depth)
    return works


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs a regcomp() that recurses")
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


# --- no switch ------------------------------------------------------------------------------------------------------


def refused(function, *args, exception=error):
    """Has *function* refused a switch in a function that is called on the thread's stack of a new greenlet? The reason."""
    def run():
        with pytest.raises(exception) as caught:
            on_thread_stack(function, *args)
        return str(caught.value)

    return in_greenlet(run)


def test_a_switch_is_refused_with_the_reason():
    main = getcurrent()
    assert refused(main.switch, "lost?") == (
        "can't switch to another greenlet in a function that on_thread_stack() has called: it runs on the thread's own "
        "stack, where the main greenlet is suspended")
    assert refused(lambda: main.switch("lost?")).startswith("can't switch")


def test_what_could_not_be_switched_to_goes_on_later():
    g = suspended(lambda: getcurrent().parent.switch("first"))
    fresh = greenlet(lambda value: value)
    for each in (g, fresh):
        assert refused(each.switch, 1).startswith("can't switch")
        assert refused(each.throw, LookupError).startswith("can't switch")
    assert bool(g) and not g.dead and not bool(fresh) and not fresh.dead
    assert g.switch(2) == 2
    assert fresh.switch(3) == 3


def test_the_greenlet_goes_on_after_a_refusal():
    main = getcurrent()

    def run():
        with pytest.raises(error):
            on_thread_stack(main.switch)
        return main.switch("between"), on_thread_stack(len, "abc")

    g = greenlet(run)
    assert g.switch() == "between"
    assert g.switch("back") == ("back", 3)


def test_generators_are_refused_and_nothing_of_them_is_lost():
    @generator
    def count():
        for i in range(3):
            yield_(i)

    fresh, begun = count(), count()
    assert next(begun) == 0
    assert refused(next, begun).startswith("can't switch")
    assert refused(next, fresh).startswith("can't switch")
    assert refused(begun.send, None).startswith("can't switch")
    assert list(begun) == [1, 2]
    assert list(fresh) == [0, 1, 2]


def test_a_generator_can_not_yield_there():
    @generator
    def give():
        with pytest.raises(error, match="can't switch"):
            on_thread_stack(yield_, "lost?")
        yield_("after")

    assert list(give()) == ["after"]


def test_native_generators_and_coroutines_run_there():
    def native():
        yield from range(3)

    async def coroutine():
        return "result"

    def run():
        values = on_thread_stack(list, native())
        begun = native()
        next(begun)
        with pytest.raises(StopIteration) as stopped:
            on_thread_stack(coroutine().send, None)
        return values, on_thread_stack(list, begun), stopped.value.value

    assert in_greenlet(run) == ([0, 1, 2], [1, 2], "result")


def test_a_function_that_awaits_can_not_suspend_there():
    import asyncio

    def function():
        with pytest.raises(error, match="can't switch"):
            on_thread_stack(aio.await_, asyncio.sleep(0))
        done = asyncio.get_running_loop().create_future()
        done.set_result("at once")
        return on_thread_stack(aio.await_, done), aio.await_(asyncio.sleep(0, "later"))

    async def main():
        return await aio.run(function)

    assert asyncio.run(main()) == ("at once", "later")


@pytest.mark.usefixtures("scheduler_as_before")
@WITH_A_SCHEDULER[0]
def test_tasklets_are_refused():
    log = []

    def other():
        log.append("other")

    def task():
        with pytest.raises(RuntimeError, match="can't switch"):
            on_thread_stack(stackless.schedule)
        channel = stackless.channel()
        with pytest.raises(RuntimeError, match="can't switch"):
            on_thread_stack(channel.receive)
        log.append(on_thread_stack(len, "abc"))
        stackless.schedule()
        log.append("end")

    stackless.tasklet(task)()
    stackless.tasklet(other)()
    stackless.run()
    assert log == [3, "other", "end"]


# --- kills ----------------------------------------------------------------------------------------------------------


def killed_in(log):
    def run():
        try:
            getcurrent().parent.switch()
        finally:
            log.append("killed")

    return suspended(run)


def test_what_is_released_there_is_killed_afterwards():
    log = []

    def run():
        def release():
            released.clear()
            collect()
            log.append("released")

        released = [killed_in(log)]
        on_thread_stack(release)
        log.append("back")

    in_greenlet(run)
    assert log == ["released", "killed", "back"]


def test_garbage_that_is_found_there_is_killed_afterwards():
    log = []

    def run():
        def make_garbage():
            g = killed_in(log)
            g.itself = g
            return weakref.ref(g)

        gc.collect()
        alive = make_garbage()
        on_thread_stack(lambda: (gc.collect(), log.append("collected")))
        log.append("back")
        collect()
        return alive()

    assert in_greenlet(run) is None
    assert log == ["collected", "killed", "back"]


def test_what_another_thread_released_is_killed_afterwards():
    log = []
    if IS_FREE_THREADED:
        pytest.skip("another thread's last reference may be counted later there")

    def run():
        released = [killed_in(log)]
        on_thread_stack(lambda: (in_thread(released.clear), log.append("released")))
        log.append("back")

    in_greenlet(run)
    assert log == ["released", "killed", "back"]


def test_a_destructor_that_switches_there_is_refused():
    main = getcurrent()
    refusals = []

    class Switches:
        def __del__(self):
            try:
                main.switch()
            except error as refusal:
                refusals.append(str(refusal))

    in_greenlet(lambda: on_thread_stack(lambda: [Switches()].clear()))
    assert len(refusals) == 1 and refusals[0].startswith("can't switch")


# --- tools ----------------------------------------------------------------------------------------------------------


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
@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="elsewhere an unwinder ends there")
def test_a_native_backtrace_goes_on_to_the_frames_of_the_greenlet():
    def frames():
        return libc.backtrace((ctypes.c_void_p * 300)(), 300)

    def nested(depth):
        return max(map(nested, [depth - 1])) if depth else (frames(), on_thread_stack(frames))

    plainly, below = in_greenlet(nested, 20)
    assert plainly > 60
    assert plainly < below < plainly + 20


@pytest.mark.skipif(shutil.which("gdb") is None, reason="gdb is not installed")
@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="elsewhere an unwinder ends there")
@pytest.mark.skipif(HAS_ADDRESS_SANITIZER, reason="has to be loaded before gdb's own libraries")
def test_gdb_goes_on_to_the_frames_of_the_greenlet(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("""
import os
from greenlet import greenlet, on_thread_stack

def nested(depth):
    return max(map(nested, [depth - 1])) if depth else on_thread_stack(os.abort)

greenlet(nested).switch(10)
""")
    done = subprocess.run(
        ["gdb", "--batch", "-iex", "set auto-load no", "-iex", "set debuginfod enabled off", "-ex", "run", "-ex", "backtrace", "--args",
         sys.executable, str(program)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    if "ptrace" in done.stderr or "SIGABRT" not in done.stdout:
        pytest.skip("gdb can't run programs here")
    frames = [line for line in done.stdout.splitlines() if line.startswith("#")]
    assert "corrupt stack" not in done.stdout
    assert len(frames) > 11 * 4, done.stdout  # each level of nested() takes some


# --- interpreters ---------------------------------------------------------------------------------------------------


needs_interpreters = pytest.mark.skipif(sys.version_info < (3, 12), reason="this CPython can't run other interpreters from Python")

STACKS = """
import ctypes, platform, sys, threading
from greenlet import error, getcurrent, greenlet, on_thread_stack
""" + "\n".join(inspect.getsource(f) for f in (stack_pointer, thread_stack, is_on_thread_stack, in_greenlet)) + """
libc = ctypes.CDLL(None)
"""

INTERPRETERS = STACKS + """
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
@pytest.mark.parametrize("kind", [
    pytest.param("isolated", marks=pytest.mark.skipif(sys.version_info < (3, 13), reason="ctypes can't be imported there")),
    "legacy",
])
@pytest.mark.parametrize("where", [
    "run(CHECK, kind)",
    "greenlet(run).switch(CHECK, kind)",                           # in a greenlet of another interpreter's
    "greenlet(lambda: on_thread_stack(run, CHECK, kind)).switch()",  # and below it
    "t = threading.Thread(target=lambda: greenlet(run).switch(CHECK, kind)); t.start(); t.join()",
])
def test_it_works_in_other_interpreters(kind, where):
    assert output_of(INTERPRETERS + f"""
STACKS = {STACKS!r}
CHECK = {CHECK + "print('checked', flush=True)"!r}
kind = {kind!r}
{where}
""") == "checked\n"


@needs_stack_pointer
@pytest.mark.skipif(sysconfig.get_config_var("Py_GIL_DISABLED") == 1 and sys.version_info < (3, 14),
                    reason="the main greenlet's stack is looked at by the collector of 3.13t")
@pytest.mark.skipif(HAS_ADDRESS_SANITIZER, reason="the tool does not know makecontext(), and says so")
def test_it_is_refused_where_the_main_greenlet_runs_on_a_stack_that_is_not_the_threads():
    # The C library's own switch, to a stack of its own.
    assert output_of(STACKS + """
if not hasattr(libc, "makecontext"):
    print("refused")
    sys.exit()
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
""") == "refused\n"
