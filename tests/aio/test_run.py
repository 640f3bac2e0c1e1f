"""run(): the coroutine that calls an ordinary function."""

import asyncio
import collections.abc
import inspect
import threading
import weakref

import pytest
from support.event_loops import switch_out

import greenlet
from greenlet.aio import Coroutine, await_, run


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
