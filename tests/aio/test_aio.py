"""greenlet.aio: ordinary functions that wait for awaitables, under each event loop that is installed."""

import asyncio
import collections.abc
import contextlib
import contextvars
import copy
import functools
import gc
import importlib
import inspect
import pickle
import pydoc
import re
import sys
import threading
import traceback
import types
import warnings
import weakref

import greenlet
import pytest
from greenlet import getcurrent
from greenlet.aio import Coroutine, async_, await_, ensure_portal, has_portal, iter_, portal, run, with_
from greenlet.generators import generator, yield_
from support.environment import IS_DEBUG_BUILD, IS_FREE_THREADED, RACES
from support.processes import output_of, output_of_stress, run_python
from support.threads import begun_by_one_of_several_threads

NO_PORTAL = r"no portal to an event loop here: .*await greenlet\.aio\.run\("


class Asyncio:
    """What the tests need of an event loop."""

    name = "asyncio"
    Cancelled = asyncio.CancelledError
    sleep = staticmethod(asyncio.sleep)

    def run(self, asynchronous):
        return asyncio.run(asynchronous())

    @staticmethod
    def current_task():
        return asyncio.current_task()

    @staticmethod
    async def together(*asynchronous):
        """Run them at the same time."""
        await asyncio.gather(*(function() for function in asynchronous))

    @staticmethod
    async def cancelled(asynchronous):
        """Begin it, then cancel it; does not raise what that raises."""
        task = asyncio.create_task(asynchronous())
        for _ in range(20):  # until it waits for longer
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()


class Uvloop(Asyncio):
    name = "uvloop"

    def run(self, asynchronous):
        uvloop = importlib.import_module("uvloop")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(asynchronous())


class Trio:
    name = "trio"

    def __init__(self):
        self.trio = importlib.import_module("trio")
        self.Cancelled = self.trio.Cancelled
        self.sleep = self.trio.sleep

    def run(self, asynchronous):
        return self.trio.run(asynchronous)

    def current_task(self):
        return self.trio.lowlevel.current_task()

    async def together(self, *asynchronous):
        async with self.trio.open_nursery() as nursery:
            for function in asynchronous:
                nursery.start_soon(function)

    async def cancelled(self, asynchronous):
        async with self.trio.open_nursery() as nursery:
            nursery.start_soon(asynchronous)
            await importlib.import_module("trio.testing").wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()


@pytest.fixture(params=[Asyncio, Uvloop, Trio], ids=lambda loop: loop.name)
def loop(request):
    if request.param is not Asyncio:
        pytest.importorskip(request.param.name, exc_type=ImportError)
    return request.param()


@pytest.fixture(autouse=True)
def no_warnings():
    """Such as that a coroutine was never awaited."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@types.coroutine
def switch_out(value=None):
    """An awaitable that yields a value to whoever drives it, and gives what it is sent."""
    return (yield value)


async def ready(value=None):
    return value


async def ready_after(function):
    return function()


def drive(coroutine, *values):
    """What a coroutine yields for each value sent, and what it returns."""
    yields = [coroutine.send(None)]
    try:
        for value in values:
            yields.append(coroutine.send(value))
    except StopIteration as stop:
        return yields, stop.value
    return yields, None


def names_of(error):
    """The functions of a traceback, but for those of the standard library and of the event loop."""
    return [frame.name for frame in traceback.extract_tb(error.__traceback__) if frame.filename == __file__]


# --- awaiting --------------------------------------------------------------------------------------------------------


def test_await_gives_the_result(loop):
    def function(value):
        await_(loop.sleep(0.001))
        return await_(ready(value))

    async def main():
        return await run(function, "result")

    assert loop.run(main) == "result"


def test_await_at_any_depth(loop):
    def deep(depth):
        if depth:
            return deep(depth - 1) + 1
        await_(loop.sleep(0))
        return 0

    async def main():
        return await run(deep, 100)

    assert loop.run(main) == 100


def test_await_in_a_callback_of_c_code(loop):
    def key(value):
        await_(loop.sleep(0))
        return -value

    async def main():
        return await run(sorted, [1, 3, 2], key=key)

    assert loop.run(main) == [3, 2, 1]


def test_other_tasks_run_meanwhile(loop):
    log = []

    def steps(name):
        for i in range(3):
            log.append(f"{name}{i}")
            await_(loop.sleep(0.005))

    async def main():
        await loop.together(lambda: run(steps, "a"), lambda: run(steps, "b"))

    loop.run(main)
    assert sorted(log) == ["a0", "a1", "a2", "b0", "b1", "b2"]
    assert log != sorted(log)


def test_asynchronous_and_ordinary_functions_in_turn(loop):
    async def asynchronous(depth):
        await loop.sleep(0)
        return await run(ordinary, depth - 1) if depth else ["end"]

    def ordinary(depth):
        await_(loop.sleep(0))
        return [depth, *await_(asynchronous(depth))]

    async def main():
        return await asynchronous(5)

    assert loop.run(main) == [4, 3, 2, 1, 0, "end"]


def test_what_is_yielded_and_sent_passes_through():
    def function():
        return [await_(switch_out("a")), await_(switch_out("b"))]

    assert drive(run(function), 1, 2) == (["a", "b"], [1, 2])


def test_an_awaitable_that_does_not_wait_never_switches():
    switches = []

    def function():
        greenlet.settrace(lambda event, greenlets: switches.append(event))
        try:
            return [await_(ready(i)) for i in range(3)]
        finally:
            greenlet.settrace(None)

    with pytest.raises(StopIteration) as end:
        run(function).send(None)
    assert end.value.value == [0, 1, 2]
    assert switches == []


class Awaitable:
    def __init__(self, iterator):
        self.iterator = iterator

    def __await__(self):
        return self.iterator


def test_awaitables_of_all_kinds():
    def iterate():
        return (yield "from a generator")

    class Iterator:
        def __iter__(self):
            return self

        def __next__(self):
            if self.done:
                raise StopIteration("result")
            self.done = True
            return "from an iterator"

        done = False

    def function():
        return [
            await_(switch_out("from a coroutine of types.coroutine")),
            await_(Awaitable(iterate())),
            await_(Awaitable(Iterator())),
            await_(run(lambda: await_(switch_out("from another run()")))),
        ]

    yields, result = drive(run(function), 1, 2, None, 4)
    assert yields == ["from a coroutine of types.coroutine", "from a generator", "from an iterator", "from another run()"]
    assert result == [1, 2, "result", 4]


def test_futures_and_tasks_of_asyncio():
    def function():
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, "future")
        task = asyncio.create_task(ready("task"))
        return await_(future), await_(task), await_(task)

    async def main():
        return await run(function)

    assert asyncio.run(main()) == ("future", "task", "task")


@pytest.mark.parametrize("value", [1, None, iter(()), (i for i in ()), len, Awaitable(1), Awaitable(switch_out())],
                         ids=lambda value: type(value).__name__)
def test_what_is_not_awaitable(value):
    with pytest.raises(TypeError):
        run(await_, value).send(None)


async def asynchronous():
    return "result"


class Asynchronous:
    async def method(self):
        return "result"


@pytest.mark.parametrize("function", [
    asynchronous, Asynchronous().method, functools.partial(asynchronous), functools.partial(Asynchronous().method),
    types.coroutine(lambda: (yield)),
], ids=repr)
def test_run_refuses_an_asynchronous_function_and_says_what_to_write(function):
    with pytest.raises(TypeError, match=r"run\(\) calls ordinary functions, and .* is asynchronous: write `await function"):
        run(function)


def test_await_takes_one_argument():
    for arguments in ((), (1, 2)):
        with pytest.raises(TypeError):
            await_(*arguments)


def test_a_coroutine_that_is_awaited_already():
    async def switching():
        await switch_out("first")

    coroutine = switching()
    coroutine.send(None)
    with pytest.raises(RuntimeError, match="being awaited already"):
        run(await_, coroutine).send(None)
    coroutine.close()
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        run(await_, coroutine).send(None)


# --- without a portal ------------------------------------------------------------------------------------------------


def test_await_without_a_portal_says_what_to_do():
    with pytest.raises(RuntimeError, match=NO_PORTAL):
        await_(ready())
    assert not has_portal()


def test_await_in_a_coroutine_without_a_portal(loop):
    async def main():
        with pytest.raises(RuntimeError, match=NO_PORTAL):
            await_(loop.sleep(0))
        assert not has_portal()
        await run(lambda: None)
        with pytest.raises(RuntimeError, match=NO_PORTAL):
            await_(loop.sleep(0))

    loop.run(main)


def test_a_task_that_the_function_starts_has_no_portal():
    async def task():
        assert not has_portal()
        with pytest.raises(RuntimeError, match=NO_PORTAL):
            await_(ready())

    def function():
        assert has_portal()
        await_(asyncio.create_task(task()))

    asyncio.run(run(function))


def test_another_thread_has_no_portal():
    def in_thread():
        with pytest.raises(RuntimeError, match=NO_PORTAL):
            await_(ready())
        return has_portal()

    def function():
        return await_(asyncio.to_thread(in_thread))

    assert asyncio.run(run(function)) is False


# --- exceptions ------------------------------------------------------------------------------------------------------


def test_exceptions_pass_both_ways_with_whole_tracebacks(loop):
    error = LookupError("x")

    async def fails():
        await loop.sleep(0)
        raise error

    def inner():
        await_(fails())

    def outer():
        inner()

    async def main():
        with pytest.raises(LookupError) as raised:
            await run(outer)
        assert raised.value is error
        assert names_of(error) == ["main", "outer", "inner", "fails"]

    loop.run(main)


def test_the_function_may_catch_what_the_awaitable_raises(loop):
    async def fails():
        await loop.sleep(0)
        raise LookupError

    def function():
        try:
            await_(fails())
        except LookupError:
            await_(loop.sleep(0))
            return "caught"

    async def main():
        return await run(function)

    assert loop.run(main) == "caught"


def test_stop_iteration_becomes_a_runtime_error():
    def function():
        raise StopIteration(1)

    with pytest.raises(RuntimeError, match="coroutine raised StopIteration") as error:
        run(function).send(None)
    assert isinstance(error.value.__cause__, StopIteration)


def test_stop_iteration_that_was_never_initialised():
    # It has no value, not even None: crash.
    class Stop(StopIteration):
        def __init__(self):
            pass

    class Waits:
        def __await__(self):
            return self

        __iter__ = __await__

        def __next__(self):
            pass

        def throw(self, *exception):
            raise Stop

    coroutine = run(lambda: [await_(Waits())])
    coroutine.send(None)
    with pytest.raises(StopIteration) as stop:
        coroutine.throw(LookupError)
    assert stop.value.value == [None]


@pytest.mark.parametrize("exception", [greenlet.GreenletExit, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_exceptions_that_end_other_things_pass_too(exception):
    def function():
        raise exception

    with pytest.raises(exception):
        run(function).send(None)


def test_throw_reaches_the_awaitable():
    def catches():
        try:
            yield "waiting"
        except LookupError as error:
            yield error
        return "end"

    coroutine = run(await_, Awaitable(catches()))
    assert coroutine.send(None) == "waiting"
    error = LookupError()
    assert coroutine.throw(error) is error
    with pytest.raises(StopIteration) as end:
        coroutine.send(None)
    assert end.value.value == "end"


def test_throw_into_an_iterator_that_has_no_such_method():
    coroutine = run(await_, Awaitable(iter(["waiting"])))
    assert coroutine.send(None) == "waiting"
    with pytest.raises(LookupError):
        coroutine.throw(LookupError)


def test_the_awaitable_may_end_when_something_is_thrown_in():
    def catches():
        try:
            yield "waiting"
        except LookupError:
            return "caught"

    coroutine = run(await_, Awaitable(catches()))
    coroutine.send(None)
    with pytest.raises(StopIteration) as end:
        coroutine.throw(LookupError)
    assert end.value.value == "caught"


def test_the_function_sees_the_exception_that_the_coroutine_handles(loop):
    async def main():
        error = LookupError()
        try:
            raise error
        except LookupError:
            await run(function, error)

    def function(error):
        assert sys.exc_info()[1] is error
        await_(loop.sleep(0))
        assert sys.exc_info()[1] is error

    loop.run(main)


# --- the task --------------------------------------------------------------------------------------------------------


def test_it_is_the_same_task(loop):
    def function():
        tasks = [loop.current_task()]
        await_(loop.sleep(0))
        return [*tasks, loop.current_task()]

    async def main():
        assert await run(function) == [loop.current_task()] * 2

    loop.run(main)


variable = contextvars.ContextVar("variable", default="default")


def test_context_variables_are_visible_both_ways(loop):
    def function():
        assert variable.get() == "from the coroutine"
        variable.set("from the function")
        await_(loop.sleep(0))
        assert variable.get() == "from the function"
        await_(set_to("from the awaitable"))
        assert variable.get() == "from the awaitable"

    async def set_to(value):
        await loop.sleep(0)
        variable.set(value)

    async def main():
        variable.set("from the coroutine")
        await run(function)
        assert variable.get() == "from the awaitable"

    loop.run(main)
    assert variable.get() == "default"


def test_tasks_have_contexts_of_their_own(loop):
    def function(value):
        variable.set(value)
        await_(loop.sleep(0.001))
        assert variable.get() == value

    async def main():
        await loop.together(lambda: run(function, "a"), lambda: run(function, "b"))

    loop.run(main)


def test_cancellation_reaches_the_function(loop):
    log = []

    def inner():
        try:
            await_(loop.sleep(10))
        except loop.Cancelled:
            log.append("cancelled")
            raise
        finally:
            log.append("finally")

    def outer():
        inner()
        log.append("never")

    async def main():
        await loop.cancelled(lambda: run(outer))

    loop.run(main)
    assert log == ["cancelled", "finally"]


def test_a_function_can_wait_while_it_is_cancelled():
    log = []

    def function():
        try:
            await_(asyncio.sleep(10))
        finally:
            await_(asyncio.sleep(0.001))
            log.append("cleaned up")

    async def main():
        await Asyncio.cancelled(lambda: run(function))

    asyncio.run(main())
    assert log == ["cleaned up"]


def test_timeouts(loop):
    def function():
        log = []
        with contextlib.suppress(TimeoutError):
            with with_(asyncio.timeout(0.001)):
                await_(asyncio.sleep(10))
            log.append("never")
        return log

    def function_of_trio():
        trio = loop.trio
        with trio.move_on_after(0.001) as scope:
            await_(trio.sleep(10))
        assert scope.cancelled_caught
        return []

    async def main():
        return await run(function_of_trio if loop.name == "trio" else function)

    assert loop.run(main) == []


def test_the_timeout_of_the_coroutine(loop):
    log = []

    def function():
        try:
            await_(loop.sleep(10))
        finally:
            log.append("finally")

    async def main():
        with contextlib.suppress(TimeoutError):
            if loop.name == "trio":
                with loop.trio.move_on_after(0.001):
                    await run(function)
            else:
                async with asyncio.timeout(0.001):
                    await run(function)

    loop.run(main)
    assert log == ["finally"]


def test_task_groups(loop):
    def child(n):
        await_(loop.sleep(0))
        results.append(n)

    def function():
        if loop.name == "trio":
            with with_(loop.trio.open_nursery()) as nursery:
                for n in range(3):
                    nursery.start_soon(run, child, n)
        else:
            with with_(asyncio.TaskGroup()) as group:
                for n in range(3):
                    group.create_task(run(child, n))
        return sorted(results)

    async def main():
        return await run(function)

    results = []
    assert loop.run(main) == [0, 1, 2]


def test_a_task_group_whose_child_fails(loop):
    log = []

    def child():
        raise LookupError

    def function():
        try:
            if loop.name == "trio":
                with with_(loop.trio.open_nursery()) as nursery:
                    nursery.start_soon(run, child)
                    await_(loop.sleep(10))
            else:
                with with_(asyncio.TaskGroup()) as group:
                    group.create_task(run(child))
                    await_(loop.sleep(10))
        except* LookupError:
            log.append("group")

    async def main():
        await run(function)

    loop.run(main)
    assert log == ["group"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio(backend):
    anyio = pytest.importorskip("anyio")
    pytest.importorskip(backend)
    results = []

    def child(n):
        await_(anyio.sleep(0))
        results.append(n)

    def function():
        with with_(anyio.create_task_group()) as group:
            for n in range(3):
                group.start_soon(run, child, n)
        with anyio.move_on_after(0.001) as scope:
            await_(anyio.sleep(10))
        assert scope.cancelled_caught
        with with_(anyio.Lock()):
            results.append(await_(anyio.to_thread.run_sync(lambda: 3)))
        return sorted(results)

    async def main():
        return await run(function)

    assert anyio.run(main, backend=backend) == [0, 1, 2, 3]


# --- the coroutine ---------------------------------------------------------------------------------------------------


def test_run_gives_a_coroutine():
    def function():
        pass

    coroutine = run(function)
    assert isinstance(coroutine, Coroutine)
    assert isinstance(coroutine, collections.abc.Coroutine)
    assert inspect.isawaitable(coroutine)
    assert asyncio.iscoroutine(coroutine)
    assert coroutine.__name__ == "function"
    assert coroutine.__qualname__ == function.__qualname__
    assert repr(coroutine).startswith(f"<coroutine object {function.__qualname__} at 0x")
    assert weakref.ref(coroutine)() is coroutine
    assert Coroutine[int, None, str].__origin__ is Coroutine
    with pytest.raises(TypeError):
        Coroutine()
    coroutine.close()


def test_arguments_reach_the_function():
    def function(*args, **kwargs):
        return args, kwargs

    with pytest.raises(StopIteration) as end:
        run(function, 1, *range(10), a=2, function=3).send(None)
    assert end.value.value == ((1, *range(10)), {"a": 2, "function": 3})


@pytest.mark.parametrize("arguments", [(), (1,)])
def test_run_of_no_function(arguments):
    with pytest.raises(TypeError):
        run(*arguments)


@pytest.mark.parametrize("value", [None, 0, (1, 2), LookupError("x"), StopIteration(3)], ids=repr)
def test_the_result(value):
    async def main():
        return await run(lambda: value)

    with pytest.raises(StopIteration) as end:
        main().send(None)
    assert end.value.value is value
    with pytest.raises(StopIteration) as end:
        run(lambda: value).send(None)
    assert end.value.value is value


def test_a_task_of_it():
    def function():
        await_(asyncio.sleep(0))
        return "result"

    async def main():
        task = asyncio.create_task(run(function), name="name")
        assert "function" in repr(task)
        assert await asyncio.gather(task, run(function)) == ["result", "result"]
        return await asyncio.wait_for(run(function), 1)

    assert asyncio.run(main()) == "result"


def test_one_that_was_never_awaited_warns():
    with pytest.warns(RuntimeWarning, match=r"coroutine 'len' was never awaited"):
        run(len, "x")


def test_it_can_be_awaited_once():
    coroutine = run(lambda: 1)
    with pytest.raises(StopIteration):
        coroutine.send(None)
    for use in (lambda: coroutine.send(None), lambda: coroutine.throw(LookupError)):
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            use()
    assert coroutine.close() is None


def test_the_first_value_sent_is_none():
    coroutine = run(len, "x")
    with pytest.raises(TypeError, match="can't send non-None value to a just-started coroutine"):
        coroutine.send(1)
    coroutine.close()


def test_it_is_not_reentrant():
    def function():
        coroutine.send(None)

    coroutine = run(function)
    with pytest.raises(ValueError, match="coroutine already executing"):
        coroutine.send(None)


def test_close_ends_the_function():
    log = []

    async def awaited():
        try:
            await switch_out()
        finally:
            log.append("awaitable")

    def function():
        try:
            await_(awaited())
        finally:
            log.append("function")

    coroutine = run(function)
    coroutine.send(None)
    assert coroutine.close() is None
    assert log == ["awaitable", "function"]


def test_so_does_the_loss_of_the_last_reference():
    log = []

    def function():
        try:
            await_(switch_out())
        finally:
            log.append("function")

    coroutine = run(function)
    coroutine.send(None)
    del coroutine
    assert log == ["function"]


def test_close_of_one_that_waits_again():
    def function():
        try:
            await_(switch_out())
        except GeneratorExit:
            await_(switch_out())

    coroutine = run(function)
    coroutine.send(None)
    with pytest.raises(RuntimeError, match="coroutine ignored GeneratorExit"):
        coroutine.close()


def test_frame_is_where_it_waits():
    def inner():
        await_(future)

    def outer():
        inner()

    async def main():
        nonlocal future
        future = asyncio.get_running_loop().create_future()
        coroutine = run(outer)
        assert (coroutine.gi_frame, coroutine.cr_running, coroutine.cr_suspended) == (None, False, False)
        task = asyncio.create_task(coroutine)
        await asyncio.sleep(0)
        assert (coroutine.cr_running, coroutine.cr_suspended) == (False, True)
        frame = coroutine.gi_frame
        assert [frame.f_code, frame.f_back.f_code] == [inner.__code__, outer.__code__]
        future.set_result(None)
        await task
        assert (coroutine.gi_frame, coroutine.cr_running, coroutine.cr_suspended) == (None, False, False)

    future = None
    asyncio.run(main())


def test_one_begun_in_another_thread():
    coroutine = run(lambda: await_(switch_out()))
    thread = threading.Thread(target=coroutine.send, args=(None,))
    thread.start()
    thread.join()
    with pytest.raises(greenlet.error):
        coroutine.send(None)


# --- async_ ----------------------------------------------------------------------------------------------------------


def test_an_asynchronous_function_of_an_ordinary_one(loop):
    @async_
    def function(a, *, b=2):
        """What it does."""
        await_(loop.sleep(0))
        return a + b

    assert inspect.iscoroutinefunction(function)
    assert function.__name__ == "function"
    assert function.__doc__ == "What it does."
    assert str(inspect.signature(function)) == "(a, *, b=2)"

    async def main():
        return await function(1, b=3)

    assert loop.run(main) == 4


def test_asynchronous_methods():
    class Class:
        @async_
        def of_instance(self):
            return await_(ready(self))

        @async_
        @classmethod
        def of_class(cls):
            return await_(ready(cls))

        @staticmethod
        @async_
        def static(x):
            return await_(ready(x))

    instance = Class()

    async def main():
        return await instance.of_instance(), await Class.of_class(), await instance.static(1)

    assert asyncio.run(main()) == (instance, Class, 1)


async def asynchronous_function():
    pass


async def asynchronous_generator():
    yield


@pytest.mark.parametrize("function", [1, asynchronous_function, asynchronous_generator])
def test_what_can_not_be_made_asynchronous(function):
    with pytest.raises(TypeError):
        async_(function)


def generator_functions():
    def native(n):
        try:
            for i in range(n):
                await_(asyncio.sleep(0))
                try:
                    log.append((yield i))
                except LookupError:
                    yield "caught"
        finally:
            await_(asyncio.sleep(0))
            log.append("finally")

    @generator
    def ours(n):
        try:
            for i in range(n):
                await_(asyncio.sleep(0))
                try:
                    log.append(yield_(i))
                except LookupError:
                    yield_("caught")
        finally:
            await_(asyncio.sleep(0))
            log.append("finally")

    log = []
    return [(native, log), (ours, log)]


@pytest.mark.parametrize("function, log", generator_functions(), ids=["native", "ours"])
def test_an_asynchronous_generator_of_one_that_awaits(function, log):
    log.clear()
    function = async_(function)
    assert inspect.isasyncgenfunction(function)

    async def main():
        assert [i async for i in function(3)] == [0, 1, 2]
        assert log == [None, None, None, "finally"]
        log.clear()
        g = function(3)
        assert await g.asend(None) == 0
        assert await g.asend("sent") == 1
        assert await g.athrow(LookupError) == "caught"
        assert await anext(g) == 2
        await g.aclose()
        assert log == ["sent", "finally"]
        log.clear()
        g = function(3)
        await anext(g)
        with pytest.raises(ValueError):
            await g.athrow(ValueError)
        assert log == ["finally"]

    asyncio.run(main())


# --- generators that await -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function, log", generator_functions(), ids=["native", "ours"])
def test_a_generator_that_awaits_in_the_function_that_iterates(function, log):
    def consume():
        return list(function(3))

    async def main():
        return await asyncio.gather(run(consume), run(consume))

    assert asyncio.run(main()) == [[0, 1, 2], [0, 1, 2]]


def test_generators_nested_that_await():
    @generator
    def inner(n):
        for i in range(n):
            yield_(await_(ready(i)))
            await_(asyncio.sleep(0))

    @generator
    def outer(n):
        for i in inner(n):
            await_(asyncio.sleep(0))
            yield_(i * 2)

    assert asyncio.run(run(lambda: list(outer(3)))) == [0, 2, 4]


def test_a_generator_that_one_task_began_and_another_goes_on_with():
    @generator
    def numbers():
        for i in range(4):
            await_(asyncio.sleep(0))
            yield_((i, asyncio.current_task().get_name()))

    async def main():
        g = numbers()
        return [await asyncio.create_task(run(next, g), name=name) for name in "abc"]

    assert asyncio.run(main()) == [(0, "a"), (1, "b"), (2, "c")]


def test_a_cancelled_generator():
    @generator
    def waits():
        try:
            await_(asyncio.sleep(10))
        finally:
            log.append("finally")

    async def main():
        await Asyncio.cancelled(lambda: run(list, waits()))

    log = []
    asyncio.run(main())
    assert log == ["finally"]


def test_yield_does_not_reach_through_to_a_generator_that_drives_the_coroutine():
    @generator
    def drives():
        run(lambda: yield_(1)).send(None)

    with pytest.raises(RuntimeError, match="outside of a running generator"):
        next(drives())


def test_a_greenlet_that_the_function_starts_can_await(loop):
    def inner(x):
        await_(loop.sleep(0))
        return x

    async def main():
        return await run(lambda: greenlet.greenlet(inner).switch("result"))

    assert loop.run(main) == "result"


# --- iter_ and with_ -------------------------------------------------------------------------------------------------


async def count_to(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield i


def test_iter_over_an_asynchronous_generator():
    assert asyncio.run(run(lambda: [i for i in iter_(count_to(3))])) == [0, 1, 2]


def test_iter_over_any_asynchronous_iterable():
    class Countdown:
        def __init__(self, n):
            self.n = n

        def __aiter__(self):
            return self

        async def __anext__(self):
            if not self.n:
                raise StopAsyncIteration
            self.n -= 1
            return self.n

    assert asyncio.run(run(list, iter_(Countdown(3)))) == [2, 1, 0]


def test_iter_passes_exceptions_on():
    async def fails():
        yield 1
        raise LookupError

    def function():
        values = []
        with pytest.raises(LookupError):
            for value in iter_(fails()):
                values.append(value)
        return values

    assert asyncio.run(run(function)) == [1]


@pytest.mark.parametrize("iterable", [1, [1], iter(())], ids=repr)
def test_iter_over_what_is_not_asynchronous(iterable):
    with pytest.raises(TypeError):
        iter_(iterable)


def test_iter_over_one_whose_class_changes():
    # It was asked for what it had had at first: crash.
    class Ones:
        def __aiter__(self):
            return self

        async def __anext__(self):
            return 1

    def function():
        ones = iter_(Ones())
        assert next(ones) == 1
        del Ones.__anext__
        with pytest.raises(TypeError, match="'Ones' object is no longer an asynchronous iterator"):
            next(ones)

    asyncio.run(run(function))


def test_iter_without_a_portal():
    iterator = iter_(count_to(3))
    assert iter(iterator) is iterator
    with pytest.raises(RuntimeError, match=NO_PORTAL):
        next(iterator)


class Manager:
    def __init__(self, suppresses=False):
        self.log = []
        self.suppresses = suppresses

    async def __aenter__(self):
        await asyncio.sleep(0)
        self.log.append("enter")
        return self

    async def __aexit__(self, *exception):
        await asyncio.sleep(0)
        self.log.append(("exit", exception[0]))
        return self.suppresses


def test_with_enters_and_leaves():
    def function():
        manager = Manager()
        with with_(manager) as value:
            assert value is manager
        return manager.log

    assert asyncio.run(run(function)) == ["enter", ("exit", None)]


@pytest.mark.parametrize("suppresses", [True, False])
def test_with_an_exception(suppresses):
    def function():
        manager = Manager(suppresses)
        with contextlib.nullcontext() if suppresses else pytest.raises(LookupError):
            with with_(manager):
                raise LookupError
        return manager.log

    assert asyncio.run(run(function)) == ["enter", ("exit", LookupError)]


def test_with_closes_an_asynchronous_generator():
    async def closes():
        try:
            yield 1
            yield 2
        finally:
            log.append("closed")

    def function():
        with with_(contextlib.aclosing(closes())) as values:
            for _ in iter_(values):
                break
        return list(log)

    log = []
    assert asyncio.run(run(function)) == ["closed"]


def test_with_what_is_no_asynchronous_manager():
    with pytest.raises(TypeError, match="is not an asynchronous context manager"):
        with_(contextlib.nullcontext)


def test_with_without_a_portal():
    with pytest.raises(RuntimeError, match=NO_PORTAL):
        with with_(Manager()):
            pass


# --- portals ---------------------------------------------------------------------------------------------------------


def ordinary(loop):
    assert has_portal()
    await_(loop.sleep(0))
    return loop.current_task()


def test_portal_for_an_awaitable(loop):
    async def inner():
        await loop.sleep(0)
        return ordinary(loop)

    async def main():
        assert not has_portal()
        assert await portal(inner()) is loop.current_task()
        assert not has_portal()

    loop.run(main)


def test_a_task_with_a_portal_from_its_start():
    async def main():
        return ordinary(Asyncio) is asyncio.current_task()

    coroutine = portal(main())
    assert (coroutine.__name__, coroutine.__qualname__) == (main.__name__, main.__qualname__)
    assert asyncio.run(coroutine) is True


def test_portal_of_what_is_not_awaitable():
    with pytest.raises(TypeError):
        portal(1).send(None)


def test_ensure_portal_in_the_middle_of_a_task(loop):
    async def helper():
        await ensure_portal()

    async def main():
        await loop.sleep(0)
        with pytest.raises(RuntimeError, match=NO_PORTAL):
            await_(loop.sleep(0))
        await helper()
        assert ordinary(loop) is loop.current_task()
        await loop.sleep(0.001)
        assert ordinary(loop) is loop.current_task()
        await ensure_portal()
        assert ordinary(loop) is loop.current_task()
        return "result"

    assert loop.run(main) == "result"


def test_ensure_portal_in_many_tasks(loop):
    async def task():
        variable.set(loop.current_task())
        await ensure_portal()
        for _ in range(5):
            await loop.sleep(0)
            assert ordinary(loop) is variable.get()

    async def main():
        await loop.together(*[task] * 10)

    loop.run(main)


def test_exceptions_after_ensure_portal(loop):
    async def main():
        await ensure_portal()
        await loop.sleep(0)
        raise LookupError

    with pytest.raises(LookupError) as error:
        loop.run(main)
    assert names_of(error.value)[-1] == "main"


def test_cancellation_after_ensure_portal(loop):
    log = []

    async def task():
        await ensure_portal()
        try:
            ordinary(loop)
            await_(loop.sleep(10))
        finally:
            log.append("finally")

    async def main():
        await loop.cancelled(task)

    loop.run(main)
    assert log == ["finally"]


def test_cancellation_during_ensure_portal():
    log = []

    async def task():
        try:
            await ensure_portal()
        except asyncio.CancelledError:
            log.append(has_portal())
            raise

    async def main():
        task_ = asyncio.create_task(task())
        asyncio.get_running_loop().call_soon(task_.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task_

    asyncio.run(main())
    assert log == [True]


@pytest.mark.parametrize("end", [
    pytest.param(lambda portal_: portal_.close(), id="close"),
    pytest.param(lambda portal_: portal_.throw(LookupError), id="throw"),
    pytest.param(lambda portal_: portal_.send(None), id="send"),
])
@pytest.mark.parametrize("make", [
    pytest.param(lambda function: ready_after(function), id="async def"),
    pytest.param(lambda function: run(lambda: greenlet.greenlet(function, getcurrent().parent).switch()), id="run"),
])
def test_the_new_portal_of_a_task_may_be_ended_while_the_task_runs(loop, make, end):
    # The task, and asyncio with it, goes on with the coroutine that it began with.
    def function():
        coroutine = ensure_portal()
        coroutine.send(None)
        task = loop.current_task()
        with pytest.raises(ValueError, match="already executing"):
            end(task.coro if loop.name == "trio" else task.get_coro())
        del coroutine
        gc.collect()
        steps.append("went on")

    async def main():
        await loop.together(lambda: make(function))
        steps.append("ended")

    steps = []
    loop.run(main)
    assert steps == ["went on", "ended"]


def test_ensure_portal_outside_of_a_task():
    with pytest.raises(RuntimeError, match="has to be awaited in a task of asyncio or trio"):
        ensure_portal().send(None)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="asyncio.current_task() does not know such a task since 3.14")
def test_ensure_portal_for_a_task_of_the_class_in_python():
    async def main():
        await ensure_portal()
        return ordinary(Asyncio) is asyncio.current_task()

    def factory(loop, coroutine, **options):
        return asyncio.tasks._PyTask(coroutine, loop=loop, **options)

    with asyncio.Runner() as runner:
        runner.get_loop().set_task_factory(factory)
        assert runner.run(main()) is True


def test_ensure_portal_for_a_subclass_of_task():
    class Task(asyncio.Task):
        attribute = None

    async def main():
        await ensure_portal()
        return ordinary(Asyncio) is asyncio.current_task()

    with asyncio.Runner() as runner:
        runner.get_loop().set_task_factory(lambda loop, coroutine, **options: Task(coroutine, loop=loop, **options))
        assert runner.run(main()) is True


def test_ensure_portal_for_a_task_that_hides_its_coroutine():
    class Task(asyncio.Task):
        def get_coro(self):
            return hidden

    async def main():
        with pytest.raises(RuntimeError, match=r"can't replace the coroutine of a .*Task; start it with portal\(\)"):
            await ensure_portal()
        return await asyncio.sleep(0, "result")

    hidden = ready()
    with asyncio.Runner() as runner:
        runner.get_loop().set_task_factory(lambda loop, coroutine, **options: Task(coroutine, loop=loop, **options))
        assert runner.run(main()) == "result"
    hidden.close()


@pytest.fixture
def trio():
    return pytest.importorskip("trio")


def test_a_task_of_trio_with_a_portal_looks_like_others(trio):
    async def main():
        await ensure_portal()
        coroutine = trio.lowlevel.current_task().coro
        assert inspect.iscoroutine(coroutine)
        assert (coroutine.__name__, coroutine.cr_running) == ("main", True)
        # trio looks at the frames outside. On 3.11 those of the greenlet lead nowhere.
        assert trio.lowlevel.currently_ki_protected() is (sys.version_info < (3, 12))

    trio.run(main)


def test_trio_shows_where_a_function_waits(trio):
    def inner():
        await_(trio.sleep_forever())

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, inner)
            await trio.testing.wait_all_tasks_blocked()
            (task,) = nursery.child_tasks
            frames = [frame.f_code.co_name for frame, _ in task.iter_await_frames()]
            assert frames[-1] == "inner"
            nursery.cancel_scope.cancel()

    importlib.import_module("trio.testing")
    trio.run(main)


@pytest.mark.parametrize("host", [Asyncio, Uvloop], ids=lambda host: host.name)
def test_trio_as_a_guest_of_another_loop(trio, host):
    pytest.importorskip(host.name, exc_type=ImportError)

    def guest(result):
        with trio.move_on_after(0.001):
            await_(trio.sleep(10))
        return result

    async def with_ensured_portal():
        await ensure_portal()
        return guest(2)

    async def guests():
        return await run(guest, 1), await with_ensured_portal()

    async def main():
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        trio.lowlevel.start_guest_run(guests, run_sync_soon_threadsafe=loop.call_soon_threadsafe,
                                      done_callback=done.set_result, host_uses_signal_set_wakeup_fd=True)
        own = await run(lambda: await_(asyncio.sleep(0, "own")))
        results.append((own, (await done).unwrap()))

    results = []
    host().run(main)
    host().run(lambda: portal(main()))
    assert results == [("own", (1, 2))] * 2


def test_asyncio_shows_where_a_function_waits():
    def inner():
        await_(asyncio.sleep(10))

    def outer():
        inner()

    async def main():
        task = asyncio.create_task(run(outer))
        await asyncio.sleep(0)
        assert [frame.f_code.co_name for frame in task.get_stack()] == ["outer", "inner"]
        task.cancel()

    asyncio.run(main())


eager = pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="eager tasks came with CPython 3.12")


@eager
def test_an_eager_task_does_not_use_the_portal_of_the_one_that_made_it():
    async def task():
        with pytest.raises(RuntimeError, match=NO_PORTAL):
            await_(asyncio.sleep(0))
        return has_portal()

    def function():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        return await_(asyncio.create_task(task()))

    assert asyncio.run(run(function)) is False


@eager
def test_eager_tasks_have_portals_of_their_own():
    async def ensures():
        await ensure_portal()
        return ordinary(Asyncio) is asyncio.current_task()

    def function():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        tasks = [asyncio.create_task(coroutine) for coroutine in (ensures(), run(ordinary, Asyncio))]
        return await_(tasks[0]), await_(tasks[1]) is tasks[1]

    assert asyncio.run(run(function)) == (True, True)


# --- misuse ----------------------------------------------------------------------------------------------------------


def test_await_in_a_greenlet_whose_parent_has_no_portal():
    def inner():
        with pytest.raises(RuntimeError, match=NO_PORTAL):
            await_(ready())
        return has_portal()

    def function():
        return greenlet.greenlet(inner, outside).switch()

    outside = getcurrent()
    with pytest.raises(StopIteration) as end:
        run(function).send(None)
    assert end.value.value is False


def test_await_of_itself():
    coroutines = [run(lambda: await_(coroutines[1])), run(lambda: await_(coroutines[0]))]
    with pytest.raises(ValueError, match="coroutine already executing"):
        coroutines[0].send(None)
    coroutine = run(lambda: await_(coroutine))
    with pytest.raises(ValueError, match="coroutine already executing"):
        coroutine.send(None)


@eager
@pytest.mark.skipif(IS_DEBUG_BUILD, reason="CPython asserts that eager tasks end in the order in which they begin")
def test_a_task_that_has_ended_is_not_taken_for_the_running_one():
    # asyncio takes it for that, as the tasks did not end in the order in which they had begun: CPython 3.12.1 crashed.
    async def switches():
        main.switch()

    async def function():
        loop = asyncio.get_running_loop()
        running = asyncio.current_task()
        loop.set_task_factory(asyncio.eager_task_factory)
        begun = [greenlet.greenlet(lambda: loop.create_task(switches())) for _ in range(2)]
        for _ in range(2):
            for each in begun:
                each.switch()
        assert asyncio.current_task().done()
        try:
            with pytest.raises(RuntimeError, match="has to be awaited in a task"):
                await ensure_portal()
        finally:
            asyncio.tasks._swap_current_task(loop, running)

    main = getcurrent()
    asyncio.run(function())


def test_a_loop_within_the_loop():
    def function():
        coroutine = ready()
        try:
            asyncio.run(coroutine)
        finally:
            coroutine.close()

    with pytest.raises(RuntimeError, match=r"cannot be called from a running event loop"):
        asyncio.run(run(function))


def abandoned_tasks(function):
    """What is left of a task when nobody refers to its loop any more. Returns what was reported as unraisable."""
    errors = []
    hook, sys.unraisablehook = sys.unraisablehook, lambda unraisable: errors.append(unraisable.exc_value)
    try:
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda loop, context: None)  # that a task was destroyed
        loop.create_task(run(function))
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        del loop
        gc.collect()
    finally:
        sys.unraisablehook = hook
    return errors


def test_what_was_sent_may_have_somebody_else_wait_when_it_goes():
    def wait_in_a_greenlet(value):
        greenlet.greenlet(lambda: await_(switch_out(value))).switch()

    class Value:
        def __del__(self):
            wait_in_a_greenlet("third")

    @types.coroutine
    def several():
        yield "first"
        wait_in_a_greenlet("second")
        yield "never seen, for nobody waits for the function by then"

    def function():
        bodies.append(getcurrent())
        await_(several())

    bodies = []
    coroutine = run(function)
    assert coroutine.send(None) == "first"
    assert coroutine.send(Value()) == "second"
    assert coroutine.send(None) == "third"  # the last reference to the value was that of await_()
    with pytest.raises(RuntimeError, match=NO_PORTAL):
        bodies.pop().switch()


@pytest.mark.skipif(sys.version_info[:2] not in [(3, 12), (3, 13)], reason="the thread knows its task, or there are no eager ones")
def test_the_hash_of_the_loop_may_end_the_function():
    # It is asked for when the running task is, in the middle of await_(): the portal was gone then.
    assert output_of(
        """
        import asyncio
        from greenlet import getcurrent, greenlet
        from greenlet.aio import await_, run

        class Loop(asyncio.SelectorEventLoop):
            def __hash__(self):
                if getcurrent() in children:
                    children.clear()
                    bodies.pop().switch()
                return 1

        class Waits:
            def __await__(self):
                yield

        def wait():
            try:
                await_(Waits())
            except RuntimeError as error:
                print(str(error).split(":")[0])

        def function():
            child = greenlet(wait)
            bodies.append(getcurrent())
            children.append(child)
            again.append(child)
            child.switch()

        def call_back():
            try:
                run(function).send(None)
            except StopIteration:
                print("ended")
            again[0].parent = getcurrent()
            again[0].switch()

        bodies, children, again = [], [], []
        loop = Loop()
        loop.call_soon(call_back)
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()
        """
    ) == "ended\nno portal to an event loop here\n"


def test_a_closed_loop_ends_its_functions():
    def function():
        try:
            await_(asyncio.get_running_loop().create_future())
        finally:
            log.append("finally")

    log = []
    assert abandoned_tasks(function) == []
    assert log == ["finally"]


def test_a_function_that_waits_again_after_its_loop_was_closed():
    def function():
        future = asyncio.get_running_loop().create_future()
        try:
            await_(future)
        finally:
            await_(future)

    (error,) = abandoned_tasks(function)
    assert isinstance(error, RuntimeError)
    # Where there are eager tasks it is looked at whose portal it is, and that task runs no more.
    assert re.match(NO_PORTAL if hasattr(asyncio, "eager_task_factory") else "coroutine ignored GeneratorExit", str(error))


@pytest.mark.skipif(sys.version_info < (3, 14), reason="the values that a call has on its stack are not known")
def test_a_closed_loop_ends_iteration():
    async def values():
        yield 1
        await asyncio.get_running_loop().create_future()

    def function():
        iterator = iter_(values())
        assert next(iterator) == 1
        try:
            next(iterator)
        finally:
            log.append("finally")

    log = []
    abandoned_tasks(function)
    assert log == ["finally"]


def test_resuming_in_another_thread():
    def in_thread():
        for use in (lambda: coroutine.send(None), lambda: coroutine.throw(LookupError), coroutine.close):
            with pytest.raises(greenlet.error):
                use()
            log.append("refused")

    log = []
    coroutine = run(lambda: await_(switch_out()))
    coroutine.send(None)
    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    assert log == ["refused"] * 3
    with pytest.raises(StopIteration) as end:
        coroutine.send("value")
    assert end.value.value == "value"


def test_threads_that_begin_a_coroutine_at_once():
    # Two of them began it, where threads do not take turns: crash.
    def function(argument):
        begun.append(argument)
        await_(switch_out(1))
        return 2

    for _ in range(RACES):
        begun = []
        coroutine = run(function, 3)
        begun_by_one_of_several_threads(lambda: coroutine.send(None), 1)
        assert begun == [3]


def test_a_generator_closed_while_it_awaits():
    @generator
    def awaits():
        try:
            yield_(await_(switch_out("waiting")))
        finally:
            log.append("finally")

    log = []
    g = awaits()
    coroutine = run(next, g)
    assert coroutine.send(None) == "waiting"
    for use in (g.close, lambda: next(g), lambda: g.throw(LookupError)):
        with pytest.raises(ValueError, match="generator already executing"):
            use()
    with pytest.raises(StopIteration) as end:
        coroutine.send("value")
    assert (end.value.value, log) == ("value", [])
    g.close()
    assert log == ["finally"]


def test_a_generator_dropped_while_it_awaits():
    @generator
    def awaits():
        try:
            await_(switch_out("waiting"))
        finally:
            log.append("finally")

    log = []
    coroutine = run(next, awaits())
    coroutine.send(None)
    del coroutine
    assert log == ["finally"]


def test_await_in_a_destructor():
    class Object:
        def __del__(self):
            log.append(await_(switch_out("from a destructor")))

    def function():
        Object()
        return "result"

    log = []
    assert drive(run(function), "value") == (["from a destructor"], "result")
    assert log == ["value"]


def test_somebody_else_switches_to_the_function():
    def function():
        bodies.append(getcurrent())
        return await_(switch_out("waiting"))

    bodies = []
    coroutine = run(function)
    assert coroutine.send(None) == "waiting"
    assert bodies[0].switch("direct") == "direct"
    assert bodies[0].dead
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        coroutine.send(None)


@pytest.mark.skipif(IS_FREE_THREADED and sys.version_info >= (3, 14),
                    reason="a loop that was not closed complains at the end there, without greenlets too")
def test_the_interpreter_exits_while_functions_wait():
    assert output_of(
        """
        import asyncio, threading, warnings
        from greenlet.aio import await_, portal, run

        warnings.simplefilter("ignore", ResourceWarning)  # that the loop was not closed

        def function():
            try:
                await_(loop.create_future())
            finally:
                print("not any more")

        loop = asyncio.new_event_loop()
        tasks = [loop.create_task(run(function)), loop.create_task(portal(asyncio.sleep(10)))]
        loop.run_until_complete(asyncio.sleep(0.001))
        loop.set_exception_handler(lambda *_: None)

        def in_thread():
            global loop_of_thread, task_of_thread
            loop_of_thread = asyncio.new_event_loop()
            task_of_thread = loop_of_thread.create_task(run(lambda: await_(loop_of_thread.create_future())))
            loop_of_thread.set_exception_handler(lambda *_: None)
            loop_of_thread.run_until_complete(asyncio.sleep(0.001))

        thread = threading.Thread(target=in_thread)
        thread.start()
        thread.join()
        print("end")
        """
    ) == "end\n"


def test_the_interpreter_exits_while_a_task_with_a_portal_waits():
    done = run_python(
        """
        import asyncio
        from greenlet.aio import await_, ensure_portal

        async def main():
            await ensure_portal()
            try:
                await_(loop.create_future())
            finally:
                print("not any more")

        loop = asyncio.new_event_loop()
        task = loop.create_task(main())
        loop.set_exception_handler(lambda *_: None)
        loop.run_until_complete(asyncio.sleep(0.001))
        print("end")
        """
    )
    assert (done.returncode, done.stdout) == (0, "end\n"), done  # that its coroutine can't be closed may be reported


# --- memory ----------------------------------------------------------------------------------------------------------


def cancelled_one():
    coroutine = run(lambda: await_(switch_out()))
    coroutine.send(None)
    with contextlib.suppress(LookupError):
        coroutine.throw(LookupError)


async def with_ensured_portal():
    await ensure_portal()
    return ordinary(Asyncio)


@pytest.mark.parametrize("use", [
    pytest.param(lambda: asyncio.run(run(ordinary, Asyncio)), id="run"),
    pytest.param(cancelled_one, id="thrown into"),
    pytest.param(lambda: run(lambda: await_(switch_out())).send(None), id="dropped"),
    pytest.param(lambda: asyncio.run(with_ensured_portal()), id="ensure_portal"),
    pytest.param(lambda: asyncio.run(run(lambda: list(iter_(count_to(3))))), id="iter_"),
])
def test_nothing_is_left_behind(use):
    def count():
        gc.collect()
        return sum(isinstance(o, (Coroutine, greenlet.greenlet, asyncio.Task, types.CoroutineType)) for o in gc.get_objects())

    use()
    before = count()
    for _ in range(10):
        use()
    assert count() <= before


def test_the_main_greenlet_is_the_current_one_again():
    asyncio.run(run(ordinary, Asyncio))
    assert getcurrent().parent is None


@pytest.mark.parametrize("library, count", [("asyncio", 200), ("uvloop", 50), ("trio", 40), ("anyio", 30)])
def test_random_programs_with_destructors_and_callbacks_that_await(library, count):
    # tests/stress/aio.py SEED COUNT SECONDS LOOP does more of them.
    pytest.importorskip(library, exc_type=ImportError)
    assert output_of_stress("aio.py", 0, count, "inf", library).endswith(f"{count} programs survived\n")


# --- to frameworks they are coroutine functions ----------------------------------------------------------------------


def says_asyncio(function):
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        return asyncio.iscoroutinefunction(function)


@pytest.mark.parametrize("function", [run, portal, functools.partial(run, max), async_(max), async_(lambda: None), ensure_portal])
def test_they_are_coroutine_functions_for_inspect_and_asyncio(function):
    assert inspect.iscoroutinefunction(function)
    assert says_asyncio(function)


@pytest.mark.parametrize("function", [await_, has_portal, iter_, generator(max)])
def test_the_others_are_not(function):
    assert not inspect.iscoroutinefunction(function)
    assert not says_asyncio(function)


@pytest.mark.parametrize("function", [run, portal])
def test_run_and_portal_look_like_functions(function):
    assert callable(function) and inspect.isroutine(function)
    assert function.__module__ == "greenlet.aio"
    assert function.__doc__.splitlines()[0] in pydoc.render_doc(function)
    assert repr(function) == f"<built-in function {function.__name__}>"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(function, protocol)) is function
    assert copy.deepcopy(function) is function
    assert weakref.ref(function)() is function

    class Holder:
        attribute = function

    assert Holder().attribute is function  # not bound


def test_the_signatures_of_run_and_portal():
    assert str(inspect.signature(run)) == "(function, /, *args, **kwargs)"
    assert str(inspect.signature(portal)) == "(awaitable, /)"


@pytest.mark.parametrize("arguments", [(), (1, 2)])
def test_portal_takes_one_argument(arguments):
    with pytest.raises(TypeError, match="portal\\(\\) takes exactly one positional argument"):
        portal(*arguments)


def test_portal_takes_no_keywords():
    with pytest.raises(TypeError, match="portal"):
        portal(awaitable=1)


def test_a_background_task_of_starlette():
    background = pytest.importorskip("starlette.background")
    done = []

    def function(number):
        await_(asyncio.sleep(0))
        done.append(number)

    async def main():
        tasks = background.BackgroundTasks()
        tasks.add_task(run, function, 7)
        tasks.add_task(async_(function), 8)
        tasks.add_task(functools.partial(run, function), 9)
        await tasks()

    asyncio.run(main())
    assert done == [7, 8, 9]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_task_groups_of_anyio_start_them(backend):
    anyio = pytest.importorskip("anyio")
    pytest.importorskip(backend)
    done = []

    def function(number):
        await_(anyio.sleep(0))
        done.append(number)

    async def native(number):
        function(number)

    async def main():
        async with anyio.create_task_group() as group:
            group.start_soon(run, function, 1)
            group.start_soon(async_(function), 2)
            group.start_soon(functools.partial(run, function), 3)
            group.start_soon(portal, native(4))

    anyio.run(main, backend=backend)
    anyio.run(run, function, 5, backend=backend)
    assert sorted(done) == [1, 2, 3, 4, 5]


# --- ensure_portal() is a checkpoint of trio -------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["trio", "anyio"])
@pytest.mark.parametrize("has_one", [False, True])
def test_ensure_portal_is_a_checkpoint_under_trio(library, has_one):
    trio, library = pytest.importorskip("trio"), pytest.importorskip(library)
    order = []

    async def main():
        if has_one:
            await ensure_portal()
        with library.CancelScope() as scope:
            scope.cancel()
            with pytest.raises(trio.Cancelled):
                await ensure_portal()
            order.append("cancelled")
            await ensure_portal()
            order.append("not reached")
        assert has_portal()  # it is opened all the same
        with trio.testing.assert_checkpoints():
            await ensure_portal()
        order.append("scheduled")
        await_(trio.sleep(0))

    importlib.import_module("trio.testing")
    trio.run(main)
    assert order == ["cancelled", "scheduled"]


# --- iter_() has the methods of a generator --------------------------------------------------------------------------


async def echo_asynchronously(log):
    value = None
    try:
        while True:
            try:
                value = yield value
            except KeyError as error:
                value = error
            await asyncio.sleep(0)
            if value == "end":
                return
    finally:
        await asyncio.sleep(0)
        log.append("closed")


def test_an_iterator_sends_to_throws_into_and_closes_an_asynchronous_generator():
    log = []

    def function():
        iterator = iter_(echo_asynchronously(log))
        assert iterator.send(None) is None
        assert iterator.send(1) == 1
        error = KeyError("x")
        assert iterator.throw(error) is error
        assert isinstance(iterator.throw(KeyError), KeyError)
        assert next(iterator) is None
        assert iterator.close() is None
        assert log == ["closed"]
        assert list(iterator) == []
        other = iter_(echo_asynchronously(log))
        next(other)
        with pytest.raises(StopIteration):
            other.send("end")
        with pytest.raises(StopIteration):
            other.send(None)
        last = iter_(echo_asynchronously(log))
        next(last)
        with pytest.raises(ValueError, match="thrown"):
            last.throw(ValueError("thrown"))
        with pytest.raises(TypeError):
            last.throw(1)
        with pytest.raises(TypeError):
            last.throw()

    asyncio.run(run(function))
    assert log == ["closed"] * 3


def test_yield_from_an_iterator_of_one():
    log = []

    def function():
        def delegating():
            yield from iter_(echo_asynchronously(log))

        generator = delegating()
        assert next(generator) is None
        assert generator.send(3) == 3
        error = KeyError("x")
        assert generator.throw(error) is error
        generator.close()
        assert log == ["closed"]

    asyncio.run(run(function))


def test_an_iterator_of_what_is_no_generator():
    class Numbers:
        def __aiter__(self):
            return self

        async def __anext__(self):
            return 1

    def function():
        iterator = iter_(Numbers())
        assert iterator.send(None) == 1
        with pytest.raises(AttributeError, match="asend"):
            iterator.send(2)
        with pytest.raises(KeyError, match="thrown"):
            iterator.throw(KeyError("thrown"))
        assert iterator.close() is None
        assert next(iterator) == 1

    asyncio.run(run(function))


@pytest.mark.parametrize("use", [
    lambda iterator: iterator.send(1), lambda iterator: iterator.throw(KeyError), lambda iterator: iterator.close(),
])
def test_these_methods_need_a_portal(use):
    with pytest.raises(RuntimeError, match=NO_PORTAL):
        use(iter_(echo_asynchronously([])))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("begun", [False, True])
def test_nothing_with_a_stack_can_be_pickled_or_copied(protocol, begun):
    coroutine = run(lambda: await_(asyncio.sleep(0)))
    numbers = generator(lambda: yield_(1))()
    if begun:
        coroutine.send(None)
        next(numbers)
    iterator = iter_(echo_asynchronously([]))
    for made in (coroutine, numbers, iterator):
        for operation in (functools.partial(pickle.dumps, protocol=protocol), copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="cannot pickle"):
                operation(made)
    coroutine.close()


@generator
def of_the_module():
    yield_(1)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_generator_function_is_pickled_and_copied_as_functions_are(protocol):
    assert pickle.loads(pickle.dumps(of_the_module, protocol)) is of_the_module
    assert copy.copy(of_the_module) is copy.deepcopy(of_the_module) is of_the_module
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(generator(lambda: None), protocol)
