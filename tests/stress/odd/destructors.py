"""Odd programs about destructors, weak references and the garbage collector."""

import _thread
import contextlib
import functools
import gc
import itertools
import sys
import threading
import time
import weakref

from stress.odd.common import main, parrot, program, suspended

import greenlet as package
from greenlet import getcurrent, greenlet


@program
def destructors_that_resurrect_and_switch_to_themselves():
    class Undead(greenlet):
        def __del__(self):
            kept.append(self)
            with contextlib.suppress(BaseException):
                self.switch("again")
            with contextlib.suppress(BaseException):
                self.parent = greenlet(parrot)
            with contextlib.suppress(BaseException):
                self.throw()

    kept = []
    for make in (lambda: Undead(parrot), lambda: suspended(cls=Undead)):
        for _ in range(3):
            g = make()
            del g
            gc.collect()
    for g in kept:
        repr(g), g.dead, g.gr_frame
    kept.clear()
    gc.collect()


@program
def collector_is_asked_about_everything():
    cells = [[] for _ in range(20)]
    for cell in cells:
        cell.append(suspended(lambda cell: getcurrent().parent.switch(), cell))
    for thing in gc.get_objects():
        if isinstance(thing, greenlet):
            repr(thing), gc.get_referents(thing), thing.gr_frame, thing.gr_context, thing.dead, sys.getsizeof(thing)
    gc.freeze()
    gc.collect()
    gc.unfreeze()
    gc.set_debug(gc.DEBUG_SAVEALL)
    del cells, cell
    gc.collect()
    gc.set_debug(0)
    for thing in gc.garbage:
        repr(thing)
    gc.garbage.clear()
    gc.collect()


@program
def destructors_use_what_memory_is_being_got_for():
    from greenlet import generators, stackless  # only this program imports them

    # Up to 3.11 any allocation may start a collection. Here the collector runs at each allocation of an operation in
    # turn.
    class Cycle:
        def __init__(self, use):
            self.itself, self.use = self, use

        def __del__(self):
            with contextlib.suppress(BaseException):
                self.use()

    @generators.generator
    def count(*arguments, **named):
        for i in range(3):
            generators.yield_(i)

    def begun():
        g = count(1, 2, a=3)
        next(g)
        return g

    def receive(channel):
        with contextlib.suppress(ValueError):
            channel.receive()

    def channel_with_a_receiver():
        channel = stackless.channel()
        stackless.tasklet(receive)(channel).run()
        return channel

    def pause(*arguments, **named):
        return getcurrent().parent.switch()

    many = range(30)  # CPython reuses shorter tuples, without an allocation
    operations = {
        lambda: suspended(pause): [
            lambda g: g.switch(*many),
            lambda g: g.switch(a=1),
            lambda g: g.throw(ValueError(1)),
            lambda g: g.gr_frame,
            lambda g: g.throw(),
        ],
        lambda: greenlet(pause): [
            lambda g: g.switch(*many),
            lambda g: g.switch(1, a=1),
            lambda g: g.throw(ValueError(1)),
            lambda g: g.switch(),
        ],
        lambda: count(1, 2, a=3): [next, lambda g: g.send(None), lambda g: g.close(), lambda g: g.throw(ValueError(1))],
        begun: [next, lambda g: g.send(1), lambda g: g.close(), lambda g: g.throw(ValueError(1)), list],
        lambda: stackless.tasklet(stackless.schedule)(): [
            lambda t: t.run(),
            lambda t: t.kill(),
            lambda t: t.remove(),
            lambda t: t.insert(),
            lambda t: t.switch(),
            lambda t: stackless.schedule(),
            lambda t: stackless.run(),
        ],
        channel_with_a_receiver: [lambda c: c.send(1), lambda c: c.close(), lambda c: c.send_exception(ValueError, 1)],
    }
    threshold = gc.get_threshold()
    for make, functions in operations.items():
        for operate, use in itertools.product(functions, functions):
            for allocations in range(14):
                subject = make()
                gc.collect()
                gc.disable()
                Cycle(functools.partial(use, subject))
                gc.set_threshold(gc.get_count()[0] + allocations)
                gc.enable()
                try:
                    operate(subject)
                except BaseException:
                    pass
                gc.disable()
                gc.set_threshold(*threshold)
                del subject
                with contextlib.suppress(BaseException):
                    stackless.run()
    gc.enable()


@program
def destructors_that_the_end_of_a_thread_calls_last():
    # CPython clears the dictionary of the thread state, which has the thread's record, before its hooks.
    class Hook:
        def __call__(self, *_):
            return None

        def __del__(self):
            with contextlib.suppress(RuntimeError):
                kept.append(suspended())

    def work():
        suspended()
        sys.settrace(Hook())
        sys.setprofile(Hook())
        sys.set_asyncgen_hooks(firstiter=Hook(), finalizer=Hook())

    def use():
        for g in kept:
            with contextlib.suppress(package.error):
                g.switch()
                switched.append(g)

    kept, switched = [], []
    for _ in range(20):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    use()
    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert switched == [] and package._greenlet.get_total_main_greenlets() == 1


@program
def finalizers_called_by_hand():
    def run(ends):
        try:
            greenlet(ends).switch(getcurrent())
            getcurrent().parent.switch()
        finally:
            greenlet().parent = getcurrent()
            events.append("ended")

    def ends_its_parent(g):
        assert greenlet().parent is getcurrent()
        g.__del__()
        greenlet().parent = g
        events.append("went on")

    events = []
    g = greenlet(run)
    g.switch(ends_its_parent)
    g.__del__()
    g.__del__()
    main.__del__()
    greenlet().__del__()
    assert events == ["went on", "ended"] and g.dead


def collects_after(allocations, destructor):
    """Make the collector call *destructor* after so many more allocations.

    Up to 3.11 an allocation may start a collection.
    """

    class Cycle:
        def __init__(self):
            self.itself = self

        def __del__(self):
            destructor()

    gc.collect()
    gc.disable()
    Cycle()
    gc.set_threshold(gc.get_count()[0] + allocations)
    gc.enable()


@program
def destructors_use_greenlets_when_a_thread_first_does():
    def work(allocations):
        try:
            collects_after(allocations, lambda: made.append((getcurrent(), suspended())))
            current = getcurrent()
            gc.disable()
            for main_of_it, g in made:
                assert main_of_it is current and g.switch(1) == 1
            made.clear()
            survived.append(True)
        finally:
            done.release()

    made, survived, done = [], [], _thread.allocate_lock()
    for allocations in range(12):
        done.acquire()
        _thread.start_new_thread(work, (allocations,))
    done.acquire()
    while _thread._count() > 0:
        time.sleep(0.001)
    assert len(survived) == 12
    gc.collect()
    main_greenlets = package._greenlet.get_total_main_greenlets()
    assert main_greenlets == 1, main_greenlets


@program
def destructors_set_a_dictionary_that_is_being_made():
    for allocations in range(10):
        g = greenlet()
        collects_after(allocations, lambda: setattr(g, "__dict__", {"a": 1}))
        g.__dict__
        gc.disable()
        gc.collect()
        assert g.__dict__ == {"a": 1}


@program
def weak_dictionaries_of_greenlets_that_are_killed():
    keys = weakref.WeakKeyDictionary()
    values = weakref.WeakValueDictionary()

    def run(number):
        try:
            getcurrent().parent.switch()
        finally:
            list(keys.items()), list(values.items())
            keys[getcurrent()] = number
            values[number] = getcurrent()

    greenlets = [suspended(run, number) for number in range(50)]
    for number, g in enumerate(greenlets):
        keys[g] = number
        values[number] = g
        weakref.finalize(g, suspended)
    del g
    greenlets.clear()
    gc.collect()
    assert not keys and not values
