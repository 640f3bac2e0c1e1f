"""Random programs on trio: parked and detached tasks, instruments, callbacks of the loop, guest runs and aborted runs.

See structured.py.
"""

import contextlib
import queue
import signal
import sys
import time

import outcome
import structured
import trio
from awaiting import IDLE, MOST, SOON
from structured import AWAITABLES, OPERATIONS
from survival import Witness
from trio._core._run_context import GLOBAL_RUN_CONTEXT

from greenlet import greenlet


class Clock(trio.abc.Clock):
    """Aborts a run that does not end: trio reads the time in each round."""

    def __init__(self, program):
        self.program = program

    def start_clock(self):
        pass

    def current_time(self):
        if self.program.is_late():
            raise TimeoutError
        return time.monotonic()

    def deadline_to_sleep_time(self, deadline):
        self.program.fuel -= IDLE
        return min(deadline - self.current_time(), SOON)


class Instrument(trio.abc.Instrument):
    """Trio calls it at many points, and removes it when it raises an exception."""

    def __init__(self, program):
        self.program = program

    def before_task_step(self, *arguments):
        self.program.call_back()

    after_task_step = task_spawned = task_scheduled = task_exited = before_io_wait = after_io_wait = before_task_step


def forget_run():
    """Reset trio's state, so that the next run may start although this one's generator is never resumed."""
    GLOBAL_RUN_CONTEXT.__dict__.clear()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.set_wakeup_fd(-1)


class Program(structured.Program):
    endings = (trio.Cancelled, *structured.Program.endings)
    library = trio
    open_group = staticmethod(trio.open_nursery)
    open_channel = staticmethod(trio.open_memory_channel)

    def __init__(self, seed):
        super().__init__(seed)
        self.parked = []
        self.clock = Clock(self)

    def note_task(self):
        return self.keep(trio.lowlevel.current_task(), self.tasks, MOST)

    def task(self):
        return self.one_of(self.tasks, self.note_task)

    async def park(self):
        """Wait until the task is rescheduled. It may refuse to be cancelled, and is then woken up later."""
        task = trio.lowlevel.current_task()

        def abort(raise_cancel):
            self.call_back()
            if self.chance(0.7):
                with contextlib.suppress(ValueError):
                    self.parked.remove(task)
                return trio.lowlevel.Abort.SUCCEEDED
            trio.lowlevel.current_trio_token().run_sync_soon(self.wake)
            return trio.lowlevel.Abort.FAILED

        self.keep(task, self.parked, MOST)
        return await trio.lowlevel.wait_task_rescheduled(abort)

    async def detach(self):
        """Detach the task from the loop, and reattach it."""
        task = trio.lowlevel.current_task()
        trio.lowlevel.current_trio_token().run_sync_soon(task.coro.send, None)
        await trio.lowlevel.temporarily_detach_coroutine_object(lambda raise_cancel: trio.lowlevel.Abort.FAILED)
        self.call_back()
        await trio.lowlevel.reattach_detached_coroutine_object(task, None)

    async def communicate(self):
        one, other = trio.socket.socketpair()
        with one, other, self.make_scope():
            await one.send(b"data")
            await self.awaitable()
            await other.recv(4)
            await one.recv(4)

    def wake(self):
        if self.parked:
            result = outcome.Error(ValueError(Witness(self))) if self.chance(0.3) else outcome.Value(Witness(self))
            trio.lowlevel.reschedule(self.parked.pop(), result)

    def call_soon(self):
        trio.lowlevel.current_trio_token().run_sync_soon(self.call_back_quietly)

    def look_at_task(self):
        task = self.task()
        # In `cr_await` of a running coroutine CPython 3.12 reads SEND's counter as an instruction, and crashes.
        if not task.coro.cr_running or sys.version_info >= (3, 13):
            list(task.iter_await_frames())
        return repr(task), task.coro.cr_frame, task.child_nurseries, trio.lowlevel.currently_ki_protected()

    def run_as_guest(self, main, **options):
        """Run as a guest of a loop that may use another greenlet for each step."""
        steps = queue.SimpleQueue()
        ended = []
        trio.lowlevel.start_guest_run(main, run_sync_soon_threadsafe=steps.put, done_callback=ended.append, **options)
        while not ended and not self.is_late():
            try:
                step = steps.get(timeout=10 * SOON)
            except queue.Empty:
                self.fuel -= IDLE
            else:
                self.fuel -= 1
                greenlet(step).switch() if self.chance(0.3) else step()

    def run(self):
        while self.fuel > 0:
            instruments = [Instrument(self)] if self.chance(0.2) else []
            function = self.run_as_guest if self.chance(0.25) else trio.run
            with contextlib.suppress(BaseException):
                function(self.main, clock=self.clock, instruments=instruments)
            self.fuel -= 1
            forget_run()

    def end(self):
        super().end()
        self.parked.clear()


Program.awaitables = [
    *AWAITABLES,
    lambda p: p.park(),
    lambda p: p.park(),
    lambda p: p.detach(),
    lambda p: p.communicate(),
    lambda p: trio.lowlevel.cancel_shielded_checkpoint(),
]

Program.operations = [
    *OPERATIONS,
    lambda p: p.note_task(),
    lambda p: p.look_at_task(),
    lambda p: p.wake(),
    lambda p: p.wake(),
    lambda p: p.call_soon(),
    lambda p: trio.lowlevel.spawn_system_task(p.native),
]
