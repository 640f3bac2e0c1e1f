"""Random programs of asyncio tasks and ordinary functions that await, in which whatever may run code does something to them.

usage: aio.py SEED COUNT [SECONDS]      for no longer than that, if it is said

Functions, destructors, callbacks of the event loop, generators and greenlets all do random operations. See survival.py.
"""

import asyncio
import contextlib
import contextvars
import gc
import logging
import sys
import warnings

import survival
from greenlet import GreenletExit, generators, getcurrent, greenlet
from greenlet.aio import async_, await_, ensure_portal, has_portal, iter_, portal, run, with_
from greenlet.generators import yield_
from survival import Garbage, Witness

MOST = 6  # of each kind that are kept
FIRST = 3  # of the values of one, that loops ask for
STEPS = 5  # of a function
SOON = 0.0005  # seconds

variable = contextvars.ContextVar("variable")
# While one begins, greenlets and generators of these programs switch away. CPython's debug builds assert that nothing does.
has_eager_tasks = sys.version_info >= (3, 12) and not hasattr(sys, "gettotalrefcount")


class Waits:
    """An awaitable that yields to the event loop what it does not expect, and does not end as it should."""

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
    def __init__(self, seed):
        super().__init__(seed, 500)
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(self.call_back)
        self.tasks = []
        self.futures = []
        self.coroutines = []
        self.generators = []
        self.greenlets = []
        if has_eager_tasks and self.chance(0.3):
            self.loop.set_task_factory(asyncio.eager_task_factory)

    # What runs. Each step is an operation, or waits.

    def attempt(self, operation):
        try:
            return operation()
        except (asyncio.CancelledError, GeneratorExit, GreenletExit):
            if self.chance(0.7):
                raise
        except Exception:
            pass

    def function(self):
        steps = self.random.randrange(1, STEPS)

        def function(*arguments, **named):
            for _ in range(steps):
                self.attempt(lambda: await_(self.awaitable()) if self.chance(0.4) else self.operate())
            return Witness(self)

        return function

    async def native(self, *arguments):
        for _ in range(self.random.randrange(1, STEPS)):
            try:
                if self.chance(0.4):
                    await self.awaitable()
                elif self.chance(0.1):
                    await ensure_portal()
                else:
                    self.operate()
            except (asyncio.CancelledError, GeneratorExit, GreenletExit):
                if self.chance(0.7):
                    raise
            except Exception:
                pass
        return Witness(self)

    async def native_generator(self):
        for _ in range(self.random.randrange(1, STEPS)):
            if self.chance(0.4):
                await self.awaitable()
            else:
                yield Witness(self)

    def generator_function(self):
        def step():
            choice = self.random.random()
            if choice < 0.4:
                yield_(Witness(self))
            elif choice < 0.7:
                await_(self.awaitable())
            else:
                self.operate()

        @generators.generator
        def function(*arguments):
            for _ in range(self.random.randrange(1, STEPS)):
                self.attempt(step)

        return function

    def greenlet_function(self, *arguments):
        def step():
            if self.chance(0.3):
                getcurrent().parent.switch(Witness(self))
            elif self.chance(0.3):
                await_(self.awaitable())
            else:
                self.operate()

        for _ in range(self.random.randrange(1, STEPS)):
            self.attempt(step)

    # What there is, or is made.

    def awaitable(self):
        return self.random.choice(AWAITABLES)(self)

    def make_coroutine(self):
        made = run(self.function(), Witness(self)) if self.chance(0.7) else portal(self.native(Witness(self)))
        return self.keep(made, self.coroutines, MOST)

    def make_task(self):
        make = self.native if self.chance(0.2) else self.make_coroutine
        return self.keep(self.loop.create_task(make()), self.tasks, MOST)

    def make_future(self):
        return self.keep(self.loop.create_future(), self.futures, MOST)

    def make_generator(self):
        return self.keep(self.generator_function()(Witness(self)), self.generators, MOST)

    def make_greenlet(self):
        return self.keep(greenlet(self.greenlet_function), self.greenlets, MOST)

    def task(self):
        return self.one_of(self.tasks, self.make_task)

    def future(self):
        return self.one_of(self.futures, self.make_future)

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
        """As an event loop would."""
        coroutine = self.coroutine()
        for _ in range(FIRST):
            coroutine.send(None)

    def run_loop_within(self):
        outer = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        inner = asyncio.new_event_loop()
        inner.call_later(SOON, inner.stop)
        try:
            inner.create_task(self.native())
            inner.run_forever()
        finally:
            inner.close()
            asyncio._set_running_loop(outer)

    def raise_something(self):
        raise self.random.choice((asyncio.CancelledError, GreenletExit, KeyboardInterrupt, StopIteration))

    def tick(self):
        """A callback, that keeps the loop running as long as there is fuel."""
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
        """One way or the other."""
        choice = self.random.randrange(3)
        self.loop.call_later(2 * SOON, self.loop.stop)
        with contextlib.suppress(BaseException):
            if choice == 0:
                for task in asyncio.all_tasks(self.loop):
                    task.cancel()
                self.loop.run_forever()
            elif choice == 1:
                self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        for objects in self.tasks, self.futures, self.coroutines, self.generators, self.greenlets:
            objects.clear()
        self.loop.close()


AWAITABLES = [
    lambda p: asyncio.sleep(0),
    lambda p: asyncio.sleep(0),
    lambda p: asyncio.sleep(SOON),
    lambda p: p.future(),
    lambda p: p.task(),
    lambda p: p.make_task(),
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
    lambda p: asyncio.wait_for(p.awaitable(), SOON),
    lambda p: asyncio.gather(p.task(), p.native(), return_exceptions=p.chance(0.5)),
    lambda p: asyncio.shield(p.task()),
    lambda p: asyncio.wait([p.task(), p.task()], timeout=SOON),
    lambda p: Witness(p),
]

Program.operations = [
    lambda p: await_(p.awaitable()),
    lambda p: await_(p.awaitable()),
    lambda p: await_(p.awaitable()),
    lambda p: p.make_task(),
    lambda p: p.make_task(),
    lambda p: p.make_coroutine(),
    lambda p: p.make_generator(),
    lambda p: list(zip(iter_(p.asynchronous_iterable()), range(FIRST), strict=False)),
    lambda p: list(iter_(p.asynchronous_iterable())),
    lambda p: p.close_after_use(),
    lambda p: p.enter(),
    lambda p: p.task().cancel(),
    lambda p: p.task().cancel(Witness(p)),
    lambda p: p.task().add_done_callback(p.call_back),
    lambda p: (repr(p.task()), p.task().get_stack()),
    lambda p: p.future().set_result(Witness(p)),
    lambda p: p.future().set_exception(ValueError(Witness(p))),
    lambda p: p.future().cancel(),
    lambda p: p.future().add_done_callback(p.call_back),
    lambda p: p.drive(),
    lambda p: p.coroutine().send(Witness(p)),
    lambda p: p.coroutine().throw(ValueError(Witness(p))),
    lambda p: p.coroutine().throw(asyncio.CancelledError),
    lambda p: p.coroutine().close(),
    lambda p: next(p.coroutine()),
    lambda p: (repr(p.coroutine()), p.coroutine().gi_frame, p.coroutine().cr_running, p.coroutine().cr_suspended),
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
    lambda p: p.tasks.clear(),
    lambda p: p.futures.clear(),
    lambda p: p.coroutines.clear(),
    lambda p: p.generators.clear(),
    lambda p: p.greenlets.clear(),
    lambda p: p.loop.call_soon(p.call_back),
    lambda p: p.loop.call_later(SOON, p.call_back),
    lambda p: p.loop.stop(),
    lambda p: p.run_loop_within(),
    lambda p: has_portal(),
    lambda p: yield_(Witness(p)),
    lambda p: variable.set(Witness(p)),
    lambda p: contextvars.copy_context().run(p.operate),
    lambda p: contextvars.copy_context().run(await_, p.awaitable()),
    lambda p: sorted([3, 1, 2], key=lambda value: await_(p.awaitable()) and 0),
    lambda p: p.raise_something(),
    lambda p: Garbage(p),
    lambda p: gc.collect(),
]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable()
    sys.exit(survival.main(Program))
