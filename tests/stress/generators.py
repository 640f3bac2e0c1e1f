"""Random programs of generators and greenlets, with random operations wherever code may run.

usage: generators.py SEED COUNT [SECONDS]      SECONDS is a time limit

Destructors, a tracer, greenlets and generators all do random operations. See survival.py.
"""

import contextvars
import gc
import sys

import hooks
import survival
from survival import Garbage, Witness

from greenlet import GreenletExit, generators, getcurrent, greenlet, settrace
from greenlet.generators import yield_

MOST = 6  # generators that are kept, and greenlets
FIRST = 3  # values that a loop takes from an iterator

variable = contextvars.ContextVar("variable")


class Program(survival.Program):
    def __init__(self, seed):
        super().__init__(seed, 250)
        self.generators = []
        self.greenlets = []

    def attempt(self, operation):
        """Do an operation, and usually pass on exceptions that end generators and greenlets."""
        try:
            operation()
        except (GeneratorExit, GreenletExit):
            if self.chance(0.7):
                raise
        except Exception:
            pass

    def generator_function(self, steps):
        @generators.generator
        def function(*arguments, **named):
            for _ in range(steps):
                self.attempt(lambda: yield_(Witness(self)) if self.chance(0.5) else self.operate())
            return Witness(self) if self.chance(0.7) else None

        return function

    def greenlet_function(self, steps):
        def step():
            choice = self.random.random()
            if choice < 0.3:
                getcurrent().parent.switch(Witness(self))
            elif choice < 0.5:
                yield_(Witness(self))
            else:
                self.operate()

        def function(*arguments):
            for _ in range(steps):
                self.attempt(step)

        return function

    def make_generator(self):
        function = self.generator_function(self.random.randrange(1, 6))
        made = function(Witness(self), named=Witness(self)) if self.chance(0.7) else function()
        return self.keep(made, self.generators, MOST)

    def make_greenlet(self):
        return self.keep(greenlet(self.greenlet_function(self.random.randrange(1, 5))), self.greenlets, MOST)

    def generator(self):
        return self.one_of(self.generators, self.make_generator)

    def greenlet(self):
        return self.one_of(self.greenlets, self.make_greenlet)

    def interruptible(self):
        """Return a generator to throw into. CPython 3.12 reads a wrong instruction if a native one is running."""
        generator = self.generator()
        if not isinstance(generator, generators.Generator) and generator.gi_running:
            raise ValueError("a running native generator")
        return generator

    def throw_stop_iteration(self):
        generator = self.generator()
        # An unstarted native generator raises it unchanged, which CPython's debug builds assert not to happen.
        if isinstance(generator, generators.Generator):
            generator.throw(StopIteration(Witness(self)))

    def delegate(self):
        """Return a generator that yields the values of another one."""

        def function():
            for value in self.generator():
                yield_(value)

        return self.keep(generators.generator(function)(), self.generators, MOST)

    def delegate_natively(self):
        def function():
            return (yield from self.generator())

        return self.keep(function(), self.generators, MOST)

    def end(self):
        settrace(None)
        self.generators.clear()
        self.greenlets.clear()


Program.operations = [
    *hooks.OPERATIONS,
    lambda p: p.make_generator(),
    lambda p: p.make_greenlet(),
    lambda p: next(p.generator()),
    lambda p: next(p.generator()),
    lambda p: next(p.generator(), None),
    lambda p: p.generator().send(Witness(p)),
    lambda p: p.generator().send(None),
    lambda p: p.interruptible().throw(ValueError(Witness(p))),
    lambda p: p.interruptible().throw(GeneratorExit),
    lambda p: p.throw_stop_iteration(),
    lambda p: p.interruptible().close(),
    lambda p: list(zip(p.generator(), range(FIRST), strict=False)),
    lambda p: list(p.generator()),
    lambda p: [*p.generator(), *p.generator()],
    lambda p: p.delegate(),
    lambda p: p.delegate_natively(),
    lambda p: p.greenlet().switch(Witness(p)),
    lambda p: p.greenlet().switch(1, 2),
    lambda p: p.greenlet().throw(ValueError),
    lambda p: p.greenlet().throw(),
    lambda p: setattr(p.greenlet(), "parent", p.greenlet()),
    lambda p: setattr(p.greenlet(), "run", lambda *arguments: Witness(p)),
    lambda p: greenlet(lambda: next(p.generator())).switch(),
    lambda p: greenlet(p.generator_function(3)).switch(Witness(p)),
    lambda p: p.keep(getcurrent(), p.greenlets, MOST),
    lambda p: p.generators.clear(),
    lambda p: p.greenlets.clear(),
    lambda p: (repr(p.generator()), p.generator().gi_code, p.generator().__name__),
    lambda p: (p.generator().gi_frame, p.generator().gi_state, p.generator().gi_running, p.generator().gi_suspended),
    lambda p: setattr(p.generator(), "__qualname__", "name"),
    lambda p: yield_(Witness(p)),
    lambda p: p.make_generator().send(Witness(p)),
    lambda p: variable.set(Witness(p)),
    lambda p: contextvars.copy_context().run(next, p.generator()),
    lambda p: settrace(None),
    lambda p: sorted([3, 1, 2], key=lambda value: next(p.generator(), 0) and 0),
    lambda p: Garbage(p),
    lambda p: gc.collect(),
]

# CPython counts the hooks in progress in the thread. Its debug builds assert that there is none when one returns, so a
# tracer of greenlets must not switch away from a hook there.
if not hooks.IS_DEBUG_BUILD:
    Program.operations.append(lambda p: settrace(p.call_back))


if __name__ == "__main__":
    sys.exit(survival.main(Program))
