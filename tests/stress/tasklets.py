"""Random programs of tasklets and channels, with random operations wherever code may run.

usage: tasklets.py SEED COUNT [SECONDS]      SECONDS is a time limit

Destructors, callbacks and tasklets all do random operations. See survival.py.
"""

import contextlib
import contextvars
import copy
import gc
import sys

import hooks
import survival
from survival import Garbage, Witness

from greenlet import getcurrent, greenlet, stackless
from greenlet.stackless import TaskletExit, channel, tasklet

MOST_TASKLETS = 8
MOST_GREENLETS = 4


class Program(survival.Program):
    def __init__(self, seed):
        super().__init__(seed, 300)
        self.tasklets = []
        self.greenlets = []
        self.channels = [channel() for _ in range(3)]

    def body(self, operations):
        def function(*arguments):
            for _ in range(operations):
                try:
                    self.operate()
                except TaskletExit:
                    if self.chance(0.7):
                        raise
                except Exception:
                    pass
            return Witness(self)

        return function

    def tasklet(self):
        return self.one_of(self.tasklets, self.make)

    def channel(self):
        return self.one_of(self.channels, channel)

    def make(self):
        made = tasklet(self.body(self.random.randrange(1, 6)))
        if self.chance(0.9):
            made.setup(Witness(self))
        return self.keep(made, self.tasklets, MOST_TASKLETS)

    def greenlet(self):
        return self.one_of(self.greenlets, lambda: self.keep(greenlet(self.body(2)), self.greenlets, MOST_GREENLETS))

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
        self.greenlets.clear()
        self.channels.clear()


Program.operations = [
    *hooks.OPERATIONS,
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
    lambda p: p.keep(getcurrent(), p.greenlets, MOST_GREENLETS),
    lambda p: p.greenlet().switch(Witness(p)),
    lambda p: p.greenlet().throw(ValueError, Witness(p)),
    lambda p: p.greenlet().throw(),
    lambda p: p.greenlets.clear(),
    lambda p: stackless.run(p.random.randrange(1, 200), soft=p.chance(0.5), totaltimeout=p.chance(0.5)),
    lambda p: stackless.run(threadblock=True),
    lambda p: p.tasklet().context_run(p.operate),
    lambda p: p.tasklet().set_context(contextvars.copy_context()),
    lambda p: p.keep(copy.copy(p.tasklet()), p.tasklets, MOST_TASKLETS),
    lambda p: p.tasklet().bind_thread(),
    lambda p: setattr(
        p.tasklet(), p.random.choice(("trace_function", "profile_function")), p.random.choice((p.see, None))
    ),
    lambda p: delattr(p.tasklet(), p.random.choice(("trace_function", "profile_function"))),
    lambda p: Garbage(p),
    lambda p: gc.collect(),
]


if __name__ == "__main__":
    sys.exit(survival.main(Program))
