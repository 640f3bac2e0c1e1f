"""Threads that run greenlets, share objects, and release and kill each other's greenlets, with garbage collection.

usage: threads.py [SECONDS]

Mainly for free-threaded CPython and ThreadSanitizer, but all builds run it. The exit status is 0 if the program found
no error: a wrong result, or a thread that does not end.
"""

import contextlib
import contextvars
import functools
import gc
import random
import sys
import threading
import time
import weakref

import together

from greenlet import GreenletExit, error, getcurrent, greenlet

THREADS = 4
shared: list = []  # greenlets of all threads
unstarted = [greenlet() for _ in range(3)]
wrong: list = []
counts = [0] * THREADS
variable = contextvars.ContextVar("variable", default=None)


def parrot(value):
    while True:
        value = getcurrent().parent.switch(value)


def cleans_up(box):
    try:
        getcurrent().parent.switch()
    finally:
        box.append(1)


def check(what, value, expected):
    if value != expected:
        wrong.append(f"{what}: {value!r}, not {expected!r}")


def switch_about(choose):
    g = greenlet(parrot)
    check("start", g.switch(1), 1)
    for i in range(20):
        check("switch", g.switch(i), i)
    check("throw", type(g.throw()), GreenletExit)


def nest(choose):
    def down(depth):
        return greenlet(down).switch(depth - 1) + 1 if depth else 0

    check("nested", greenlet(down).switch(20), 20)


def share(choose):
    g = greenlet(parrot)
    g.switch(0)
    shared.append(g)


def take(choose):
    """Use a shared greenlet, then release it."""
    try:
        g = shared.pop(choose.randrange(len(shared) or 1))
    except IndexError:
        return
    try:
        check("shared", g.switch(5), 5)
    except error:
        pass  # it belongs to another thread
    try:
        g.throw()
    except error:
        pass


def look(choose):
    for g in [*shared[:5], *unstarted]:
        repr(g), g.dead, bool(g), g.parent, g.gr_frame, g.__dict__
        with contextlib.suppress(ValueError, AttributeError):  # it runs in its thread, or has started
            g.gr_context, g.run


def change(choose):
    """Change attributes that other threads read."""
    g = choose.choice(unstarted)
    g.parent = greenlet(parrot)
    g.gr_context = contextvars.copy_context()
    g.run = lambda: None
    g.__dict__ = {}


def make_garbage(choose):
    box = []
    g = greenlet(cleans_up)
    box.append(g)
    g.switch(box)


def collect(choose):
    gc.collect()


def sort_switching(choose):
    """Switch while a list is sorted, which locks the list on a free-threaded build."""
    main = getcurrent()

    def sort():
        return sorted([3, 1, 2], key=main.switch)

    def update():
        values = [3, 1, 2]
        values.sort(key=lambda value: main.switch(value))
        return values

    greenlets = [greenlet(sort), greenlet(update)]
    keys = [g.switch() for g in greenlets]
    while greenlets:
        for i in reversed(range(len(greenlets))):
            keys[i] = greenlets[i].switch(keys[i])
            if greenlets[i].dead:
                check("sorted", keys.pop(i), [1, 2, 3])
                del greenlets[i]


class Key:
    def __init__(self, value):
        self.value = value

    def __hash__(self):
        return 1

    def __eq__(self, other):
        parent = getcurrent().parent
        if parent is not None:
            parent.switch()
        return self.value == other.value


common = {Key(i): i for i in range(3)}


def look_up_switching(choose):
    """Switch during lookups in a shared dictionary, which another thread may have locked."""

    def look_up(i):
        return common.get(Key(i))

    greenlets = [greenlet(look_up) for _ in range(3)]
    for i, g in enumerate(greenlets):
        result = g.switch(i)
        while not g.dead:
            result = g.switch()
        check("looked up", result, i)


def set_context(choose):
    def run(value):
        variable.set(value)
        getcurrent().parent.switch()
        return variable.get()

    greenlets = [greenlet(run) for _ in range(3)]
    for i, g in enumerate(greenlets):
        g.switch(i)
    check("context", [g.switch() for g in greenlets], [0, 1, 2])


def watch(choose):
    gone = []
    g = greenlet(parrot)
    g.switch(1)
    reference = weakref.ref(g, gone.append)
    del g
    check("weak reference", (reference(), len(gone)), (None, 1))


def end_a_thread(choose):
    def target():
        for _ in range(3):
            share(choose)
            make_garbage(choose)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()


actions = [switch_about] * 6 + [
    nest,
    share,
    share,
    share,
    take,
    take,
    take,
    look,
    change,
    make_garbage,
    sort_switching,
    look_up_switching,
    set_context,
    watch,
]
rare = [collect, end_a_thread]


class Complaints:
    """Replaces standard error, where survivors of a kill are reported. This program has none."""

    def write(self, text):
        wrong.append(text)

    def flush(self):
        pass


def work(number, end):
    choose = random.Random(number)
    while time.monotonic() < end and not wrong:
        try:
            (choose.choice(rare) if choose.random() < 0.01 else choose.choice(actions))(choose)
        except Exception as exception:
            wrong.append(f"thread {number}: {exception!r}")
            raise
        counts[number] += 1
        if len(shared) > 500:
            del shared[:250]


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    stderr, sys.stderr = sys.stderr, Complaints()
    end = time.monotonic() + seconds
    together.run([functools.partial(work, number, end) for number in range(THREADS)], seconds)
    shared.clear()
    gc.collect()
    sys.stderr = stderr
    return together.report("threads", counts, wrong)


if __name__ == "__main__":
    sys.exit(main())
