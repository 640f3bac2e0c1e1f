"""Greenlets that survive GreenletExit are not killed again, do not run among cleared objects, and are finally freed."""

import contextvars
import gc
import threading
import weakref

import pytest
from support.greenlets import Subclass

from greenlet import GreenletExit, getcurrent, greenlet


@pytest.mark.parametrize("cls", [greenlet, Subclass])
def test_a_greenlet_that_survives_its_kill_is_not_killed_again(cls, capsys):
    exits = []

    def run():
        for _ in range(3):
            try:
                getcurrent().parent.switch()
            except GreenletExit:
                exits.append(1)

    g = cls(run)
    g.switch()
    del g
    assert exits == [1]
    assert "GreenletExit did not kill" in capsys.readouterr().err
    gc.collect()


def test_one_that_is_never_resumed_while_it_kills_another_is_a_survivor(capsys):
    # The killed greenlet kept a reference to the killer as its parent, so the lost killer was not reported.
    class Leaves:
        def __del__(self):
            getcurrent().parent.switch()

    def killed():
        try:
            getcurrent().parent.switch()
        except GreenletExit:
            return Leaves()  # released when the kill is nearly over

    def killer():
        g = greenlet(killed, getcurrent().parent)
        g.switch()
        try:
            getcurrent().parent.switch()
        except GreenletExit:
            del g

    g = greenlet(killer)
    g.switch()  # until the other one waits
    g.switch()  # until it waits itself
    del g
    assert "GreenletExit did not kill" in capsys.readouterr().err


def make_surviving_garbage(cls, exits, at_exit):
    """Create a suspended greenlet that only its own frame references, and that survives one GreenletExit."""

    def run(me):
        try:
            getcurrent().parent.switch()
        except GreenletExit:
            exits.append(me)
        try:
            getcurrent().parent.switch()
        finally:
            at_exit()

    g = cls(run)
    g.switch(g)


def test_a_survivor_of_garbage_collection_does_not_run_among_cleared_objects():
    # GreenletExit was once thrown a second time, after the greenlet's context had been cleared: crash.
    ends = []

    def end():
        contextvars.ContextVar("v").set(1)
        ends.append(1)

    class Count:
        append = staticmethod(lambda g: counts.append(1))

    counts = []
    for _ in range(20):
        make_surviving_garbage(greenlet, Count, end)
    gc.collect()
    gc.collect()
    assert (len(counts), len(ends)) == (20, 0)


def test_a_survivor_of_garbage_collection_can_be_resumed_and_is_freed_when_it_finishes():
    survivors = []
    ends = []
    make_surviving_garbage(greenlet, survivors, lambda: ends.append(1))
    gc.collect()
    assert len(survivors) == 1
    reference = weakref.ref(survivors[0])
    survivors.pop().switch()
    assert ends == [1]
    gc.collect()
    assert reference() is None


def test_a_survivor_goes_with_its_thread():
    def target():
        witness = Witness()
        make_surviving_garbage(greenlet, Forget, lambda witness=witness: None)
        del witness
        gc.collect()

    class Witness:
        def __del__(self):
            gone.append(1)

    class Forget:
        append = staticmethod(lambda g: None)

    gone = []
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    gc.collect()
    assert gone == [1]


def test_a_greenlet_with_a_destructor_does_not_run_among_cleared_objects():
    # The collector calls __del__ instead of killing the greenlet, which was then killed while objects were being
    # cleared.
    class WithDestructor(greenlet):
        def __del__(self):
            pass

    for _ in range(20):
        make_surviving_garbage(WithDestructor, [], lambda: contextvars.ContextVar("v").set(1))
    gc.collect()
    gc.collect()


@pytest.mark.parametrize("cls", [greenlet, Subclass])
def test_a_survivor_that_becomes_garbage_later_does_not_run_among_cleared_objects(cls):
    # CPython finalizes an instance of a Python class once. Here that happens when the last reference is released, and
    # the greenlet survives it.
    def run(main, exceptions):
        friend = None
        try:
            main.switch()
        except GreenletExit as error:
            friend = greenlet(lambda: None)  # a child, which references its parent
            try:
                main.switch()
            finally:
                exceptions.append((str(error), friend.dead))

    gc.collect()
    exceptions = []
    g = cls(run)
    g.switch(getcurrent(), exceptions)
    del g
    assert exceptions == []
    gc.collect()
    assert exceptions == [("Killing the greenlet because all references have vanished.", False)]


def test_a_survivor_that_finishes_later_is_freed(capsys):
    def run():
        try:
            main.switch()
        except GreenletExit:
            children.append(greenlet(lambda: None))
            main.switch()

    children = []
    main = getcurrent()
    g = greenlet(run)
    reference = weakref.ref(g)
    g.switch()
    del g
    children.pop().switch()  # resumes its parent when it finishes
    assert reference() is None


def test_a_survivor_of_its_kill_that_finishes_later_is_freed(capsys):
    def run():
        try:
            main.switch()
        except GreenletExit:
            main.switch()

    main = getcurrent()
    g = greenlet(run)
    reference = weakref.ref(g)
    g.switch()
    del g
    assert "did not kill" in capsys.readouterr().err
    reference().switch()
    assert reference() is None
