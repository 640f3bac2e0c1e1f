"""Threads that share tasklets and channels, and do random things with each other's.

usage: tasklet_threads.py SECONDS [THREADS]

This finds races on free-threaded builds. Each thread runs tasklets of its own, which meet those of other threads in
shared channels, and insert, kill, throw into, bind and inspect tasklets of any thread. It must not crash or hang. Only
errors of known classes are expected.
"""

import contextvars
import gc
import random
import sys
import threading
import time

import together

from greenlet import stackless
from greenlet.stackless import TaskletExit, channel, tasklet

MOST_SHARED = 40
TASKLETS_A_THREAD = 10


class Shared:
    def __init__(self, seconds):
        self.end = time.monotonic() + seconds
        self.channels = [channel() for _ in range(4)]
        self.tasklets = [tasklet() for _ in range(MOST_SHARED)]
        self.threads = []
        self.wrong = []


class Worker:
    def __init__(self, shared, seed):
        self.shared = shared
        self.random = random.Random(seed)
        self.actions = 0

    def any_tasklet(self):
        return self.random.choice(self.shared.tasklets)

    def any_channel(self):
        return self.random.choice(self.shared.channels)

    def any_thread(self):
        return self.random.choice(self.shared.threads)

    def act(self):
        self.actions += 1
        try:
            self.random.choice(ACTIONS)(self)
        except (RuntimeError, ValueError, TypeError):
            pass  # it is blocked, has ended, belongs to another thread, is closed, has no function, ...

    def body(self):
        for _ in range(self.random.randrange(1, 10)):
            self.act()
            if self.random.random() < 0.3:
                stackless.schedule()

    def share(self):
        made = tasklet(self.body)()
        self.shared.tasklets[self.random.randrange(MOST_SHARED)] = made

    def run(self):
        stackless.getcurrent().block_trap = True
        self.shared.threads.append(threading.get_ident())
        while time.monotonic() < self.shared.end:
            try:
                while stackless.getruncount() < TASKLETS_A_THREAD:
                    self.share()
                stackless.run(self.random.choice((0, 0, 0, 10_000)))
            except (RuntimeError, ValueError, TypeError, TaskletExit):
                pass
            except BaseException as error:
                self.shared.wrong.append(repr(error))
                raise


def look(worker):
    t = worker.any_tasklet()
    return [
        t.alive,
        t.paused,
        t.blocked,
        t.scheduled,
        t.restorable,
        t.is_current,
        t.thread_id,
        t.next,
        t.prev,
        t.tempval,
        t.frame,
        t.recursion_depth,
        t.trace_function,
        repr(t),
    ]


def look_at_a_channel(worker):
    c = worker.any_channel()
    return [c.balance, c.queue, c.closing, c.closed, repr(c)]


ACTIONS = [
    lambda w: w.any_channel().send(object()),
    lambda w: w.any_channel().send([w.any_tasklet()]),
    lambda w: w.any_channel().receive(),
    lambda w: w.any_channel().receive(),
    lambda w: w.any_channel().send_exception(ValueError, object()),
    lambda w: w.any_channel().send_sequence(range(3)),
    lambda w: setattr(w.any_channel(), "preference", w.random.choice((-1, 0, 1))),
    lambda w: setattr(w.any_channel(), "schedule_all", w.random.randrange(2)),
    lambda w: w.shared.channels.__setitem__(w.random.randrange(4), channel()),
    look_at_a_channel,
    look,
    look,
    lambda w: w.any_tasklet().insert(),
    lambda w: w.any_tasklet().insert(),
    lambda w: w.any_tasklet().remove(),
    lambda w: w.any_tasklet().run(),
    lambda w: w.any_tasklet().switch(),
    lambda w: w.any_tasklet().kill(),
    lambda w: w.any_tasklet().kill(pending=True),
    lambda w: w.any_tasklet().throw(ValueError, object()),
    lambda w: w.any_tasklet().throw(TaskletExit, pending=True),
    lambda w: w.any_tasklet().bind(w.body),
    lambda w: w.any_tasklet().bind(w.body, ()),
    lambda w: w.any_tasklet().bind(None),
    lambda w: w.any_tasklet().setup(),
    lambda w: w.any_tasklet().bind_thread(),
    lambda w: w.any_tasklet().bind_thread(w.any_thread()),
    lambda w: w.any_tasklet().bind(w.body, ()).bind_thread(w.any_thread()).insert(),
    lambda w: setattr(w.any_tasklet(), "tempval", object()),
    lambda w: setattr(w.any_tasklet(), "block_trap", False),
    lambda w: setattr(w.any_tasklet(), "trace_function", None),
    lambda w: w.any_tasklet().set_context(contextvars.copy_context()),
    lambda w: w.any_tasklet().context_run(int),
    lambda w: w.any_tasklet().set_atomic(w.random.randrange(2)),
    lambda w: w.any_tasklet().__reduce__(),
    lambda w: stackless.get_thread_info(w.any_thread()),
    lambda w: stackless.set_channel_callback(lambda *a: None),
    lambda w: stackless.set_channel_callback(None),
    lambda w: stackless.set_schedule_callback(lambda *a: None),
    lambda w: stackless.set_schedule_callback(None),
    lambda w: stackless.schedule(),
    lambda w: stackless.schedule_remove(),
    lambda w: w.share(),
    lambda w: gc.collect() if w.random.random() < 0.02 else None,
]


def main():
    seconds = float(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    sys.unraisablehook = lambda _: None
    shared = Shared(seconds)
    workers = [Worker(shared, seed) for seed in range(count)]
    together.run([worker.run for worker in workers], seconds)
    stackless.set_channel_callback(None)
    stackless.set_schedule_callback(None)
    return together.report("tasklet_threads", [worker.actions for worker in workers], shared.wrong)


if __name__ == "__main__":
    sys.exit(main())
