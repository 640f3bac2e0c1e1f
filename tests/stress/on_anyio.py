"""Random programs on anyio, which runs on asyncio, uvloop and trio if they are installed. See structured.py."""

import asyncio
import contextlib

import anyio
import structured
from awaiting import IDLE, MOST, SOON
from structured import AWAITABLES, OPERATIONS

try:
    import on_trio
except ImportError:
    on_trio = None
    print("without trio, which is not installed")
try:
    import uvloop
except ImportError:
    uvloop = None
    print("without uvloop, which is not installed")


# Functions that create a loop of asyncio; None stands for trio.
FACTORIES = [asyncio.new_event_loop, *([uvloop.new_event_loop] if uvloop else []), *([None] if on_trio else [])]


class Program(structured.Program):
    endings = (on_trio if on_trio else structured).Program.endings
    library = anyio
    open_group = staticmethod(anyio.create_task_group)
    open_channel = staticmethod(anyio.create_memory_object_stream)

    def __init__(self, seed):
        super().__init__(seed)
        self.new_event_loop = self.random.choice(FACTORIES)
        # The threads of anyio on asyncio are no daemons: one that waits for an aborted loop would keep the process
        # alive.
        self.has_threads = self.new_event_loop is None

    def new_watched_loop(self):
        """Return a loop that is stopped if it does not end."""

        def watch():
            self.fuel -= IDLE
            if self.is_late():
                loop.stop()
            loop.call_later(SOON, watch)

        loop = self.new_event_loop()
        loop.call_later(SOON, watch)
        return loop

    def run(self):
        while self.fuel > 0:
            with contextlib.suppress(BaseException):
                if self.new_event_loop is None:
                    anyio.run(self.main, backend="trio", backend_options={"clock": on_trio.Clock(self)})
                else:
                    anyio.run(self.main, backend_options={"loop_factory": self.new_watched_loop})
            self.fuel -= 1
            asyncio._set_running_loop(None)
            if on_trio:
                on_trio.forget_run()


Program.awaitables = [
    *AWAITABLES,
    lambda p: anyio.lowlevel.checkpoint(),
    lambda p: anyio.wait_all_tasks_blocked(),
]

Program.operations = [
    *OPERATIONS,
    lambda p: p.keep(anyio.get_current_task(), p.tasks, MOST),
    lambda p: (repr(p.task()), anyio.get_running_tasks(), p.task().has_pending_cancellation()),
    lambda p: asyncio.create_task(p.native()),
    lambda p: asyncio.current_task().cancel(),
]
