"""run(): the coroutine that calls an ordinary function."""

import asyncio
import collections.abc
import functools
import inspect
import sys
import threading
import traceback
import weakref

import pytest
from support.event_loops import switch_out
from support.threads import in_thread

import greenlet
from greenlet.aio import Coroutine, await_, ensure_portal, run


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


def state_of(coroutine):
    assert inspect.getcoroutinestate(coroutine) == coroutine.cr_state
    return coroutine.cr_state, coroutine.cr_running, coroutine.cr_suspended, coroutine.cr_await


def test_frame_is_where_it_waits():
    def inner():
        await_(awaitable)

    def outer():
        seen.append((*state_of(coroutine), coroutine.cr_frame, sys._getframe(), coroutine.cr_code))
        inner()
        helper()

    def helper():
        seen.append((*state_of(coroutine), coroutine.cr_frame, sys._getframe(1), coroutine.cr_code))

    class Waits:
        def __await__(self):
            return iterator

    def waits():
        yield

    iterator = waits()
    awaitable = Waits()
    seen = []
    coroutine = run(outer)
    assert state_of(coroutine) == ("CORO_CREATED", False, False, None)
    frame = coroutine.cr_frame
    assert frame.f_code is outer.__code__ and 0 <= frame.f_lineno - outer.__code__.co_firstlineno <= 1
    assert frame.f_globals is globals()
    coroutine.send(None)
    assert state_of(coroutine) == ("CORO_SUSPENDED", False, True, iterator)
    frame = coroutine.cr_frame
    assert [frame.f_code, frame.f_back.f_code] == [inner.__code__, outer.__code__]
    assert coroutine.cr_code is inner.__code__ and coroutine.gi_frame is frame and coroutine.gi_yieldfrom is iterator
    del frame
    with pytest.raises(StopIteration):
        coroutine.send(None)
    assert state_of(coroutine) == ("CORO_CLOSED", False, False, None)
    assert (coroutine.cr_frame, coroutine.cr_code, coroutine.cr_origin) == (None, outer.__code__, None)
    for *state, frame, expected, code in seen:
        assert state == ["CORO_RUNNING", True, False, None]
        assert frame is expected and code is outer.__code__
    assert len(seen) == 2


def test_frame_of_a_function_that_has_not_begun():
    class Callable:
        def __call__(self):
            pass

        def method(self):
            pass

    for function, name, code in (
        (len, "len", None),
        (functools.partial(len, []), "partial", None),
        (Callable(), "Callable", None),
        (Callable().method, "method", Callable.method.__code__),
        (lambda: None, "<lambda>", None),
    ):
        coroutine = run(function)
        frame = coroutine.cr_frame
        assert frame.f_code.co_name == name and coroutine.cr_code.co_name == name
        assert code is None or frame.f_code is code
        assert frame.f_back is None and isinstance(frame.f_lineno, int)
        traceback.extract_stack(frame)
        assert inspect.getcoroutinestate(coroutine) == "CORO_CREATED"
        coroutine.close()


def test_frame_of_a_coroutine_while_another_greenlet_or_thread_looks():
    def look():
        seen.append((coroutine.cr_frame, coroutine.cr_code, coroutine.cr_await))

    def function():
        frames.append(sys._getframe())
        greenlet.greenlet(look, greenlet.getcurrent()).switch()
        in_thread(look)

    seen, frames = [], []
    coroutine = run(function)
    with pytest.raises(StopIteration):
        coroutine.send(None)
    assert seen == [(frames[0], function.__code__, None), (None, function.__code__, None)]


def test_what_a_task_with_a_portal_awaits():
    async def waits(future):
        await ensure_portal()
        function(future)

    def function(future):
        called.append(True)
        await_(future)

    async def main():
        future = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(waits(future))
        seen = []
        while not called:
            await asyncio.sleep(0)
            seen.append(task.get_coro().cr_await)
        future.set_result(None)
        await task
        return seen

    called = []
    *before, last = asyncio.run(main())
    assert type(last).__name__ == "FutureIter"
    assert all(each is None or type(each).__name__ != "FutureIter" for each in before)


@pytest.mark.skipif(not hasattr(asyncio, "format_call_graph"), reason="before CPython 3.14 asyncio has no call graph")
def test_call_graph_shows_where_it_waits():
    def inner():
        await_(future)

    def outer():
        inner()

    async def waits():
        await run(outer)

    async def main():
        nonlocal future
        future = asyncio.get_running_loop().create_future()
        tasks = asyncio.create_task(run(outer)), asyncio.create_task(waits())
        await asyncio.sleep(0)
        graphs = [asyncio.format_call_graph(task) for task in tasks]
        future.set_result(None)
        await asyncio.gather(*tasks)
        return graphs

    future = None
    of_function, of_coroutine = asyncio.run(main())
    line = inner.__code__.co_firstlineno + 1
    for graph in of_function, of_coroutine:
        assert f"line {line}, in" in graph and "inner" in graph
    assert "waits" in of_coroutine


def test_one_begun_in_another_thread():
    coroutine = run(lambda: await_(switch_out()))
    thread = threading.Thread(target=coroutine.send, args=(None,))
    thread.start()
    thread.join()
    with pytest.raises(greenlet.error):
        coroutine.send(None)
