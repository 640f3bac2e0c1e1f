"""The event loops that tests of greenlet.aio run under, and small awaitables."""

import asyncio
import contextlib
import importlib
import traceback
import types
from pathlib import Path

import pytest
from support.environment import ROOT

from greenlet.aio import await_, has_portal

NO_PORTAL = r"no portal to an event loop here: .*await greenlet\.aio\.run\("

eager = pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="eager tasks came with CPython 3.12")


class Asyncio:
    """The functions of an event loop that tests use."""

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
        """Run the functions at the same time."""
        await asyncio.gather(*(function() for function in asynchronous))

    @staticmethod
    async def cancelled(asynchronous):
        """Start a function in a task, then cancel the task. The cancellation is not raised here."""
        task = asyncio.create_task(asynchronous())
        for _ in range(20):  # until it is in its long wait
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


@types.coroutine
def switch_out(value=None):
    """Yield a value to the event loop, and return the value that it sends."""
    return (yield value)


async def ready(value=None):
    return value


async def ready_after(function):
    return function()


def drive(coroutine, *values):
    """Send values to a coroutine. Returns the values that it yields, and its result."""
    yields = [coroutine.send(None)]
    try:
        for value in values:
            yields.append(coroutine.send(value))
    except StopIteration as stop:
        return yields, stop.value
    return yields, None


async def count_to(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield i


def ordinary(loop):
    assert has_portal()
    await_(loop.sleep(0))
    return loop.current_task()


class Awaitable:
    def __init__(self, iterator):
        self.iterator = iterator

    def __await__(self):
        return self.iterator


def names_of(error):
    """Return the names of the functions of tests/aio in a traceback."""
    return [
        frame.name
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).parent == ROOT / "tests" / "aio"
    ]
