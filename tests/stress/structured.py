"""The common part of random programs on trio and anyio: task groups, cancel scopes, events, channels and threads.

See awaiting.py.
"""

import contextlib

import awaiting
from awaiting import MOST, SOON
from survival import Witness

from greenlet.aio import await_, run, with_


class Program(awaiting.Program):
    """Subclasses add run()."""

    endings = (*awaiting.Program.endings, BaseExceptionGroup)
    library = None  # trio or anyio
    open_group = None  # the library's function; open_channel too
    has_threads = True

    def __init__(self, seed):
        super().__init__(seed)
        self.lock = self.library.Lock()
        self.main_group = None
        self.groups = []
        self.scopes = []
        self.events = []
        self.channels = []

    # Objects, existing or new.

    def make_task(self):
        self.group().start_soon(self.native if self.chance(0.2) else self.make_coroutine)

    def group(self):
        return self.one_of(self.groups, lambda: self.main_group)

    def keep_group(self, group):
        return self.keep(group, self.groups, MOST)

    def soon(self):
        return self.library.current_time() + SOON

    def make_scope(self):
        """Create a scope that ends soon, so that code that it shields from other cancellation ends too."""
        return self.keep(self.library.CancelScope(deadline=self.soon(), shield=self.chance(0.3)), self.scopes, MOST)

    def scope(self):
        return self.one_of(self.scopes, self.make_scope)

    def event(self):
        return self.one_of(self.events, lambda: self.keep(self.library.Event(), self.events, MOST))

    def make_channel(self):
        return self.keep(self.open_channel(self.random.randrange(2)), self.channels, MOST)

    def channel(self):
        return self.one_of(self.channels, self.make_channel)

    # Awaitables.

    def sleep(self, seconds):
        return self.library.sleep(seconds)

    async def in_group(self):
        async with self.open_group() as group:
            self.keep_group(group).start_soon(self.native)
            group.start_soon(run, self.function(), Witness(self))
            await self.awaitable()

    async def start_task(self):
        async def task(task_status):
            await self.native()
            task_status.started(Witness(self))
            await self.native()

        return await self.group().start(task)

    async def in_scope(self):
        with self.make_scope():
            await self.awaitable()

    async def with_lock(self):
        async with self.lock:
            await self.awaitable()

    def in_thread(self):
        def function():
            for _ in self.steps():
                with self.attempt():
                    self.random.choice(FROM_THREAD)(self)

        if not self.has_threads:
            return self.sleep(0)
        return self.library.to_thread.run_sync(function, abandon_on_cancel=self.chance(0.5))

    # Operations.

    def use_group(self):
        with with_(self.open_group()) as group:
            self.keep_group(group).start_soon(self.make_coroutine)
            self.operate()

    def use_scope(self):
        with self.make_scope():
            self.operate()
            await_(self.awaitable())

    def call_back_quietly(self):
        with contextlib.suppress(Exception):
            self.call_back()

    # Running the program.

    async def main(self):
        async with self.open_group() as self.main_group:
            self.main_group.start_soon(self.make_coroutine)
            while self.fuel > 0:
                self.fuel -= 1
                self.call_back_quietly()
                await self.sleep(0)
            self.main_group.cancel_scope.cancel()

    def end(self):
        super().end()
        self.main_group = None
        for objects in self.groups, self.scopes, self.events, self.channels:
            objects.clear()


FROM_THREAD = [
    lambda p: p.operate(),
    lambda p: p.operate(),
    lambda p: p.library.from_thread.run(p.native),
    lambda p: p.library.from_thread.run(run, p.function()),
    lambda p: p.library.from_thread.run_sync(p.call_back),
    lambda p: p.library.from_thread.check_cancelled(),
]

AWAITABLES = [
    *awaiting.AWAITABLES,
    lambda p: p.in_group(),
    lambda p: p.in_group(),
    lambda p: p.start_task(),
    lambda p: p.in_scope(),
    lambda p: p.with_lock(),
    lambda p: p.in_thread(),
    lambda p: p.event().wait(),
    lambda p: p.channel()[0].send(Witness(p)),
    lambda p: p.channel()[1].receive(),
    lambda p: p.library.sleep_forever(),
]

OPERATIONS = [
    *awaiting.OPERATIONS,
    lambda p: p.use_group(),
    lambda p: p.use_scope(),
    lambda p: p.group().cancel_scope.cancel(),
    lambda p: p.scope().cancel(),
    lambda p: setattr(p.scope(), "deadline", p.soon()),
    lambda p: setattr(p.scope(), "shield", p.chance(0.5)),
    lambda p: p.event().set(),
    lambda p: p.channel()[0].send_nowait(Witness(p)),
    lambda p: p.channel()[1].receive_nowait(),
    lambda p: p.channel()[0].close(),
    lambda p: p.groups.clear(),
    lambda p: p.scopes.clear(),
    lambda p: p.events.clear(),
    lambda p: p.channels.clear(),
]
