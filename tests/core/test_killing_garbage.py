"""Garbage greenlets are killed, and may react to that."""

import gc
import sys
import weakref

import pytest
from support.greenlets import collect, suspended
from support.processes import output_of
from support.threads import in_thread

from greenlet import GreenletExit, getcurrent, greenlet


class Local:
    pass


class EventLoop:
    """An event loop like those of clients: it swallows exceptions of callbacks, except those that end the process."""

    def __init__(self, callback, rounds):
        self.callback = callback
        self.rounds = rounds
        self.greenlet = greenlet(self.run)

    def run(self):
        for number in range(10):
            self.rounds.append(number)
            try:
                self.callback()
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException:
                pass


@pytest.mark.parametrize("leave_behind", [lambda use: use(), in_thread], ids=["collected", "thread ends"])
def test_an_event_loop_in_a_cycle_ends_instead_of_going_on(leave_behind):
    rounds = []
    leave_behind(lambda: EventLoop(lambda: getcurrent().parent.switch(), rounds).greenlet.switch())
    collect()
    assert rounds == [0]


def test_catching_greenlet_exit_and_storing_the_greenlet_resurrects_it():
    saved = []

    def run(cell):
        try:
            getcurrent().parent.switch()
        except GreenletExit:
            saved.append(getcurrent())
            getcurrent().parent.switch()
        return "finished later"

    cell = []
    cell.append(suspended(run, cell))
    del cell
    collect()
    assert len(saved) == 1 and saved[0]
    assert saved.pop().switch() == "finished later"


def test_an_exception_raised_instead_is_reported(monkeypatch):
    reports = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: reports.append(type(report.exc_value)))

    def run(cell):
        try:
            getcurrent().parent.switch()
        finally:
            raise LookupError

    cell = []
    cell.append(suspended(run, cell))
    del cell
    collect()
    assert reports == [LookupError]


def test_collecting_inside_a_greenlet_does_not_touch_the_running_ones():
    main = getcurrent()

    def inner():
        local = Local()
        collect()
        return type(local)

    def outer():
        local = Local()
        g = greenlet(inner)
        result = g.switch()
        collect()
        return type(local), result

    assert greenlet(outer).switch() == (Local, Local)
    assert getcurrent() is main


def test_collecting_while_many_are_suspended_changes_nothing():
    def nested(depth, number):
        local = [number] * depth
        if depth:
            return nested(depth - 1, number) + len(local)
        return getcurrent().parent.switch() + number

    greenlets = [suspended(nested, number % 10, number) for number in range(200)]
    for generation in (0, 1, 2):
        gc.collect(generation)
    expected = [number + sum(range(number % 10 + 1)) for number in range(200)]
    assert [g.switch(0) for g in greenlets] == expected


def test_cycles_in_another_thread_are_collected_there():
    def run():
        alive = []

        def body(cell):
            getcurrent().parent.switch()

        cell = []
        cell.append(suspended(body, cell))
        alive.append(weakref.ref(cell[0]))
        del cell
        collect()
        return alive[0]()

    assert in_thread(run) is None


def test_one_to_be_killed_may_finish_before_it_is():
    # Another thread collects the greenlets, so their own thread has to kill them. The first one that is killed switches
    # to the others, which are in the same list, and then starts one that reuses a stack of theirs: crash.
    assert (
        output_of(
            """
        import gc, threading
        from greenlet import getcurrent, greenlet

        started = []

        def wait(others):
            try:
                getcurrent().parent.switch()
            finally:
                for other in others:
                    other.parent = getcurrent()
                    other.switch()
                started.append(greenlet(lambda: getcurrent().parent.switch()))
                started[0].switch()

        def leave_garbage():
            g = greenlet(wait)
            g.others = [greenlet(lambda: getcurrent().parent.switch()) for _ in range(2)]
            g.switch(g.others)
            for other in g.others:
                other.first = g
                other.switch()

        gc.disable()
        leave_garbage()
        collector = threading.Thread(target=gc.collect)
        collector.start()
        collector.join()
        getcurrent().switch()
        print(bool(started[0]))
        """
        )
        == "True\n"
    )


def make_cycle(begins):
    """Create an unstarted greenlet in a cycle with a function that it calls when it ends, and with an owner.

    The owner's destructor calls *begins* with the greenlet. Returns the log of the function.
    """

    class Owner:
        def __del__(self):
            begins(self.greenlet)

    def clean_up():
        log.append("cleaned up")

    def run():
        try:
            getcurrent().parent.switch()
        finally:
            clean_up()

    log = []
    g = greenlet(run)
    owner = Owner()
    owner.greenlet = g
    g.owner = clean_up.owner = owner
    return log


def test_what_begins_in_a_destructor_is_not_cleared_by_the_same_collection():
    # The collector finalizes a greenlet once, here before it started. It was then killed after the function's variables
    # had been cleared.
    log = make_cycle(lambda g: g.switch())
    gc.collect()
    gc.collect()
    assert log == ["cleaned up"]


def test_what_begins_after_a_destructor_has_resurrected_it_is_killed_when_it_is_garbage_again():
    resurrected = []
    log = make_cycle(resurrected.append)
    collect()
    resurrected[0].switch()
    assert log == []
    resurrected.clear()
    gc.collect()  # this collection only makes it possible to finalize it again
    gc.collect()
    assert log == ["cleaned up"]
