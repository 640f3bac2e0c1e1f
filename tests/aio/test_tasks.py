"""A function runs in the task of its coroutine: context variables, cancellation, timeouts and groups."""

import asyncio
import contextlib
import contextvars

import pytest
from support.environment import NEEDS_SSL
from support.event_loops import Asyncio

from greenlet.aio import await_, run, with_


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


@NEEDS_SSL
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
