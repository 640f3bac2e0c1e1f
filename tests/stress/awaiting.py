"""The common part of random programs on event loops: functions, coroutines, generators and greenlets that await.

Functions, destructors, callbacks, generators and greenlets all do random operations. See survival.py. Each loop has a
module (on_asyncio.py, on_trio.py, on_anyio.py) with its tasks and awaitables.
"""

import asyncio
import contextlib
import contextvars
import gc
import signal
import sys
import threading

import hooks
import survival
from survival import Garbage, Witness

from greenlet import GreenletExit, generators, getcurrent, greenlet
from greenlet.aio import async_, await_, ensure_portal, has_portal, iter_, portal, run, with_
from greenlet.generators import yield_

MOST = 6  # objects of each kind that are kept
FIRST = 3  # values that a loop takes from an iterator
STEPS = 5  # of a function, at most
SOON = 0.0005  # seconds
IDLE = 10  # fuel for a round of an idle loop
GRACE = 50  # rounds of a loop that should have ended

variable = contextvars.ContextVar("variable")

# Functions in these modules hold locks. Acquiring one that another greenlet of the same thread holds is a deadlock.
HAVE_LOCKS = (
    "asyncio.mixins",
    "concurrent.futures._base",
    "concurrent.futures.thread",
    "logging",
    "queue",
    "threading",
    "trio._core._entry_queue",
    "trio._core._thread_cache",
)
# CPython's debug builds assert that no task finishes before asyncio.Task() returns, which calls the loop to start it.
BEGIN_TASKS = ("asyncio.base_events", "asyncio.events") if hooks.IS_DEBUG_BUILD else ()


def may_switch(frame):
    """Return whether a hook that is called for the frame may switch."""
    if frame.f_code.co_filename in files_of(BEGIN_TASKS):
        return False
    have_locks = files_of(HAVE_LOCKS)
    while frame is not None and frame.f_code.co_filename not in have_locks:
        frame = frame.f_back
    return frame is None


def files_of(modules):
    return {sys.modules[name].__file__ for name in modules if name in sys.modules}


class Waits:
    """An awaitable that yields unexpected values to the event loop, and ends in unexpected ways."""

    def __init__(self, program):
        self.program = program

    def __await__(self):
        self.program.call_back()
        return self

    __iter__ = __await__

    def __next__(self):
        self.program.call_back()
        if self.program.chance(0.5):
            raise StopIteration(Witness(self.program))
        return Witness(self.program) if self.program.chance(0.2) else None

    def throw(self, *exception):
        self.program.call_back()
        if self.program.chance(0.5):
            raise StopIteration
        if self.program.chance(0.5):
            raise exception[0]

    def close(self):
        self.program.call_back()


class Manager:
    def __init__(self, program):
        self.program = program

    async def __aenter__(self):
        await self.program.awaitable()
        return Witness(self.program)

    async def __aexit__(self, *exception):
        await self.program.awaitable()
        return self.program.chance(0.3)


class Program(survival.Program):
    """Subclasses add make_task(), a coroutine function sleep(), and more operations and awaitables."""

    endings = (asyncio.CancelledError, GeneratorExit, GreenletExit)  # exceptions that usually end functions
    awaitables: list = []  # functions of the program

    def __init__(self, seed):
        super().__init__(seed, 500)
        self.thread = threading.get_ident()
        self.grace = GRACE
        self.tasks = []
        self.coroutines = []
        self.generators = []
        self.greenlets = []

    # Running code. Each step does an operation, or waits.

    def operations_here(self):
        """Return the permitted operations: in other threads, only those that do not use the event loop."""
        return self.operations if threading.get_ident() == self.thread else ELSEWHERE

    @contextlib.contextmanager
    def attempt(self):
        try:
            yield
        except Exception:
            pass
        except self.endings:
            if self.chance(0.7):
                raise

    def steps(self):
        return range(self.random.randrange(1, STEPS))

    def function(self):
        steps = self.steps()

        def function(*arguments, **named):
            for _ in steps:
                with self.attempt():
                    if self.chance(0.4):
                        await_(self.awaitable())
                    else:
                        self.operate()
            return Witness(self)

        return function

    async def native(self, *arguments):
        for _ in self.steps():
            with self.attempt():
                if self.chance(0.4):
                    await self.awaitable()
                elif self.chance(0.1):
                    await ensure_portal()
                else:
                    self.operate()
        return Witness(self)

    async def native_generator(self):
        for _ in self.steps():
            if self.chance(0.4):
                await self.awaitable()
            else:
                yield Witness(self)

    def generator_function(self):
        @generators.generator
        def function(*arguments):
            for _ in self.steps():
                with self.attempt():
                    choice = self.random.random()
                    if choice < 0.4:
                        yield_(Witness(self))
                    elif choice < 0.7:
                        await_(self.awaitable())
                    else:
                        self.operate()

        return function

    def greenlet_function(self, *arguments):
        for _ in self.steps():
            with self.attempt():
                if self.chance(0.3):
                    getcurrent().parent.switch(Witness(self))
                elif self.chance(0.3):
                    await_(self.awaitable())
                else:
                    self.operate()

    # Objects, existing or new.

    def awaitable(self):
        return self.random.choice(self.awaitables)(self)

    def make_coroutine(self):
        made = run(self.function(), Witness(self)) if self.chance(0.7) else portal(self.native(Witness(self)))
        return self.keep(made, self.coroutines, MOST)

    def make_generator(self):
        return self.keep(self.generator_function()(Witness(self)), self.generators, MOST)

    def make_greenlet(self):
        return self.keep(greenlet(self.greenlet_function), self.greenlets, MOST)

    def task(self):
        return self.one_of(self.tasks, self.make_task)

    def coroutine(self):
        return self.one_of(self.coroutines, self.make_coroutine)

    def generator(self):
        return self.one_of(self.generators, self.make_generator)

    def greenlet(self):
        return self.one_of(self.greenlets, self.make_greenlet)

    def asynchronous_iterable(self):
        return self.native_generator() if self.chance(0.5) else async_(self.generator_function())()

    # Operations.

    def enter(self):
        with with_(Manager(self)):
            self.operate()

    def close_after_use(self):
        with with_(contextlib.aclosing(self.asynchronous_iterable())) as values:
            for _ in zip(iter_(values), range(FIRST), strict=False):
                self.operate()

    def drive(self):
        """Resume a coroutine as an event loop does."""
        coroutine = self.coroutine()
        for _ in range(FIRST):
            coroutine.send(None)

    def see(self, *arguments):
        """Do an operation, but raise nothing: the event loop can't handle exceptions of a hook."""
        if self.chance(0.01) and may_switch(sys._getframe(1)):
            with contextlib.suppress(BaseException):
                self.operate()
        return self.see

    def raise_something(self):
        raise self.random.choice((asyncio.CancelledError, GreenletExit, KeyboardInterrupt, StopIteration))

    # The end of the program.

    def is_late(self):
        """Return whether the loop should have ended by now. Each round of the loop calls it."""
        if self.fuel <= 0:
            self.grace -= 1
        return self.grace < 0

    def end(self):
        for objects in self.tasks, self.coroutines, self.generators, self.greenlets:
            objects.clear()


AWAITABLES = [
    lambda p: p.sleep(0),
    lambda p: p.sleep(0),
    lambda p: p.sleep(SOON),
    lambda p: p.coroutine(),
    lambda p: run(p.function(), Witness(p)),
    lambda p: run(p.function(), name=Witness(p)),
    lambda p: p.native(Witness(p)),
    lambda p: portal(p.native()),
    lambda p: portal(Waits(p)),
    lambda p: async_(p.function())(Witness(p)),
    lambda p: Waits(p),
    lambda p: Waits(p),
    lambda p: ensure_portal(),
    lambda p: Witness(p),
]

ELSEWHERE = [
    lambda p: p.make_coroutine(),
    lambda p: p.make_generator(),
    lambda p: p.drive(),
    lambda p: p.coroutine().send(Witness(p)),
    lambda p: p.coroutine().throw(ValueError(Witness(p))),
    lambda p: p.coroutine().throw(p.random.choice(p.endings)),
    lambda p: p.coroutine().close(),
    lambda p: next(p.coroutine()),
    lambda p: (repr(p.coroutine()), p.coroutine().cr_frame, p.coroutine().cr_running, p.coroutine().cr_suspended),
    lambda p: (p.coroutine().cr_code, p.coroutine().cr_state, p.coroutine().cr_await),
    lambda p: setattr(p.coroutine(), "__qualname__", "name"),
    lambda p: next(p.generator()),
    lambda p: p.generator().throw(ValueError(Witness(p))),
    lambda p: p.generator().close(),
    lambda p: list(p.generator()),
    lambda p: p.greenlet().switch(Witness(p)),
    lambda p: p.greenlet().throw(ValueError),
    lambda p: p.greenlet().throw(),
    lambda p: setattr(p.greenlet(), "parent", p.greenlet()),
    lambda p: p.keep(getcurrent(), p.greenlets, MOST),
    lambda p: p.coroutines.clear(),
    lambda p: p.generators.clear(),
    lambda p: p.greenlets.clear(),
    lambda p: has_portal(),
    lambda p: yield_(Witness(p)),
    lambda p: variable.set(Witness(p)),
    lambda p: contextvars.copy_context().run(p.operate),
    lambda p: p.raise_something(),
    lambda p: Garbage(p),
    lambda p: gc.collect(),
]

OPERATIONS = [
    *ELSEWHERE,
    # Up to 3.13 CPython itself has too many errors when these act on running coroutines.
    *([] if hooks.RESUMABLE_AT_YIELD else hooks.OPERATIONS),
    lambda p: await_(p.awaitable()),
    lambda p: await_(p.awaitable()),
    lambda p: await_(p.awaitable()),
    lambda p: p.make_task(),
    lambda p: p.make_task(),
    lambda p: list(zip(iter_(p.asynchronous_iterable()), range(FIRST), strict=False)),
    lambda p: list(iter_(p.asynchronous_iterable())),
    lambda p: p.close_after_use(),
    lambda p: p.enter(),
    lambda p: p.tasks.clear(),
    lambda p: ensure_portal().send(None),
    lambda p: contextvars.copy_context().run(await_, p.awaitable()),
    lambda p: sorted([3, 1, 2], key=lambda value: await_(p.awaitable()) and 0),
    lambda p: signal.raise_signal(signal.SIGINT),
]
