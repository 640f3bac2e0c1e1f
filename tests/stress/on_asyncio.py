"""Random programs on asyncio: cancellation, timeouts, transports, nested loops and closed loops. See awaiting.py."""

import asyncio
import contextlib
import socket
import sys

import awaiting
import hooks
from awaiting import AWAITABLES, MOST, OPERATIONS, SOON
from survival import Witness

from greenlet.aio import Coroutine

# Programs switch away while an eager task starts, which CPython's debug builds assert not to happen.
has_eager_tasks = sys.version_info >= (3, 12) and not hooks.IS_DEBUG_BUILD


class Protocol(asyncio.Protocol):
    def __init__(self, program):
        self.program = program

    def connection_made(self, transport):
        self.program.call_back()

    data_received = connection_lost = connection_made

    def eof_received(self):
        self.program.call_back()

    pause_writing = resume_writing = eof_received


class Program(awaiting.Program):
    new_event_loop = staticmethod(asyncio.new_event_loop)
    sleep = staticmethod(asyncio.sleep)

    def __init__(self, seed):
        super().__init__(seed)
        self.loop = self.new_event_loop()
        self.loop.set_exception_handler(self.call_back)
        self.futures = []
        self.transports = []
        if has_eager_tasks and self.chance(0.3):
            self.loop.set_task_factory(asyncio.eager_task_factory)

    # Objects, existing or new.

    def make_task(self):
        make = self.native if self.chance(0.2) else self.make_coroutine
        return self.keep(self.loop.create_task(make()), self.tasks, MOST)

    def make_future(self):
        return self.keep(self.loop.create_future(), self.futures, MOST)

    def future(self):
        return self.one_of(self.futures, self.make_future)

    def transport(self):
        return self.random.choice(self.transports)

    def make_connection(self, end):
        return self.loop.create_connection(lambda: Protocol(self), sock=end)

    async def connect(self):
        """Create two transports that are connected to each other."""
        for end in socket.socketpair():
            transport, _ = await self.make_connection(end)
            self.keep(transport, self.transports, MOST)

    # Operations.

    def run_loop_within(self):
        outer = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        inner = self.new_event_loop()
        inner.call_later(SOON, inner.stop)
        try:
            inner.create_task(self.native())
            inner.run_forever()
        finally:
            inner.close()
            asyncio._set_running_loop(outer)

    def note_coroutine(self):
        """Keep the coroutine of the running task. get_coro() of CPython 3.12.1 crashes if that task has ended."""
        task = asyncio.current_task()
        if not task.done() and isinstance(task.get_coro(), Coroutine):
            self.keep(task.get_coro(), self.coroutines, MOST)

    def tick(self):
        """A callback that keeps the loop running as long as there is fuel."""
        self.fuel -= 1
        if self.fuel <= 0:
            self.loop.stop()
            return
        self.loop.call_soon(self.tick)
        self.call_back()

    def run(self):
        self.loop.call_soon(self.tick)
        self.loop.create_task(self.make_coroutine())
        while self.fuel > 0:
            self.fuel -= 1
            with contextlib.suppress(BaseException):
                self.loop.run_forever()

    def end(self):
        """End the program in one of several ways."""
        choice = self.random.randrange(3)
        self.loop.call_later(2 * SOON, self.loop.stop)
        with contextlib.suppress(BaseException):
            if choice == 0:
                for task in asyncio.all_tasks(self.loop):
                    task.cancel()
                self.loop.run_forever()
            elif choice == 1:
                self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        super().end()
        self.futures.clear()
        self.transports.clear()
        self.loop.close()


Program.awaitables = [
    *AWAITABLES,
    lambda p: p.future(),
    lambda p: p.task(),
    lambda p: p.make_task(),
    lambda p: p.connect(),
    lambda p: asyncio.wait_for(p.awaitable(), SOON),
    lambda p: asyncio.gather(p.task(), p.native(), return_exceptions=p.chance(0.5)),
    lambda p: asyncio.shield(p.task()),
    lambda p: asyncio.wait([p.task(), p.task()], timeout=SOON),
]

Program.operations = [
    *OPERATIONS,
    lambda p: p.task().cancel(),
    lambda p: p.task().cancel(Witness(p)),
    lambda p: p.task().add_done_callback(p.call_back),
    lambda p: (repr(p.task()), p.task().get_stack()),
    lambda p: p.future().set_result(Witness(p)),
    lambda p: p.future().set_exception(ValueError(Witness(p))),
    lambda p: p.future().cancel(),
    lambda p: p.future().add_done_callback(p.call_back),
    lambda p: p.futures.clear(),
    lambda p: p.transport().write(b"data"),
    lambda p: p.transport().write(b"data"),
    lambda p: (p.transport().pause_reading(), p.transport().resume_reading()),
    lambda p: p.transport().close(),
    lambda p: p.transport().abort(),
    lambda p: p.transports.clear(),
    lambda p: p.loop.call_soon(p.call_back),
    lambda p: p.loop.call_later(SOON, p.call_back),
    lambda p: p.loop.stop(),
    lambda p: p.run_loop_within(),
    lambda p: p.note_coroutine(),
]
