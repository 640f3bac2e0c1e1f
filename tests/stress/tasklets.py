"""Random programs of tasklets and channels, in which whatever may run code does something to them.

usage: tasklets.py SEED COUNT

Destructors, callbacks and tasklets all do random operations. There is nothing to compare with: it must not crash or hang, and
COUNT programs later it says so. Errors are to be expected.
"""

import contextlib
import gc
import random
import sys

from greenlet import greenlet, stackless
from greenlet.stackless import TaskletExit, channel, tasklet

DEEPEST = 4  # destructors within each other
MOST_TASKLETS = 8


class Program:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.fuel = self.random.randrange(20, 300)
        self.depth = 0
        self.tasklets = []
        self.channels = [channel() for _ in range(3)]

    def operate(self):
        self.fuel -= 1
        if self.fuel > 0:
            self.random.choice(OPERATIONS)(self)

    def run(self):
        while self.fuel > 0:
            with contextlib.suppress(BaseException):
                self.operate()

    def body(self, operations):
        def function(*arguments):
            for _ in range(operations):
                try:
                    self.operate()
                except TaskletExit:
                    if self.random.random() < 0.7:
                        raise
                except Exception:
                    pass
            return Witness(self)

        return function

    def tasklet(self):
        return self.random.choice(self.tasklets) if self.tasklets else self.make()

    def channel(self):
        return self.random.choice(self.channels)

    def make(self):
        made = tasklet(self.body(self.random.randrange(1, 6)))
        if self.random.random() < 0.9:
            made.setup(Witness(self))
        self.tasklets.append(made)
        if len(self.tasklets) > MOST_TASKLETS:
            self.tasklets.pop(self.random.randrange(len(self.tasklets)))
        return made

    def call_back(self, *arguments):
        if self.random.random() < 0.3:
            self.operate()

    def end(self):
        stackless.set_channel_callback(None)
        stackless.set_schedule_callback(None)
        stackless.switch_trap(-stackless.switch_trap(0))
        for _ in range(20):
            with contextlib.suppress(BaseException):
                stackless.run()
            for each in self.channels:
                with contextlib.suppress(BaseException):
                    each.receive() if each.balance > 0 else each.send(None) if each.balance < 0 else None
        self.tasklets.clear()
        self.channels.clear()
        gc.collect()


class Witness:
    """Does something when it goes."""

    def __init__(self, program):
        self.program = program

    def __del__(self):
        program = self.program
        if program.depth < DEEPEST:
            program.depth += 1
            try:
                program.operate()
            except BaseException:
                pass
            finally:
                program.depth -= 1


class Garbage(Witness):
    def __init__(self, program):
        super().__init__(program)
        self.itself = self


OPERATIONS = [
    lambda p: p.make(),
    lambda p: p.make(),
    lambda p: p.tasklet().run(),
    lambda p: p.tasklet().switch(),
    lambda p: p.tasklet().kill(),
    lambda p: p.tasklet().kill(pending=True),
    lambda p: p.tasklet().remove(),
    lambda p: p.tasklet().insert(),
    lambda p: p.tasklet().raise_exception(ValueError, Witness(p)),
    lambda p: p.tasklet().throw(ValueError, Witness(p)),
    lambda p: p.tasklet().set_atomic(True),
    lambda p: p.tasklet().bind(None),
    lambda p: p.tasklet().bind(p.body(2)),
    lambda p: p.tasklet().bind(p.body(1), (Witness(p),)),
    lambda p: p.tasklet().setup(Witness(p)),
    lambda p: setattr(p.tasklet(), "tempval", Witness(p)),
    lambda p: (repr(p.tasklet()), p.tasklet().next, p.tasklet().frame, p.tasklet().alive),
    lambda p: p.tasklets.clear(),
    lambda p: stackless.schedule(),
    lambda p: stackless.schedule(Witness(p)),
    lambda p: stackless.schedule_remove(),
    lambda p: stackless.run(),
    lambda p: stackless.run(p.random.randrange(1, 200)),
    lambda p: stackless.switch_trap(1),
    lambda p: stackless.switch_trap(-1),
    lambda p: stackless.set_channel_callback(p.call_back),
    lambda p: stackless.set_channel_callback(None),
    lambda p: stackless.set_schedule_callback(p.call_back),
    lambda p: stackless.set_schedule_callback(None),
    lambda p: p.channel().send(Witness(p)),
    lambda p: p.channel().send(Witness(p)),
    lambda p: p.channel().receive(),
    lambda p: p.channel().receive(),
    lambda p: p.channel().send_exception(ValueError, Witness(p)),
    lambda p: p.channel().send_sequence([Witness(p), Witness(p)]),
    lambda p: [value for value, _ in zip(p.channel(), range(2))],
    lambda p: p.channel().close(),
    lambda p: p.channel().open(),
    lambda p: setattr(p.channel(), "preference", p.random.choice((-1, 0, 1))),
    lambda p: setattr(p.channel(), "schedule_all", p.random.randrange(2)),
    lambda p: (repr(p.channel()), p.channel().queue),
    lambda p: p.channels.__setitem__(p.random.randrange(3), channel()),
    lambda p: greenlet(p.body(2)).switch(),
    lambda p: Garbage(p),
    lambda p: gc.collect(),
]


def execute(seed):
    with contextlib.suppress(BaseException):  # also what a tasklet raises in the main one, at any time
        program = Program(seed)
        try:
            program.run()
        finally:
            program.end()


def main():
    sys.unraisablehook = lambda _: None
    first, count = map(int, sys.argv[1:])
    for seed in range(first, first + count):
        execute(seed)
    print(f"{count} programs survived")


if __name__ == "__main__":
    main()
