"""Threads that CPython did not start, and that get a new thread state for each call into Python."""

import gc
import weakref

import pytest
from support.extensions import compile_extension, load

from greenlet import error, getcurrent, greenlet
from greenlet._greenlet import get_total_main_greenlets


@pytest.fixture(scope="module")
def foreign_thread(tmp_path_factory):
    return load(compile_extension("foreign_thread.c", tmp_path_factory.mktemp("foreign_thread")))


def parrot(value):
    while True:
        value = getcurrent().parent.switch(value)


class Witness:
    pass


def test_each_call_has_a_main_greenlet_of_its_own(foreign_thread):
    mains = []
    before = get_total_main_greenlets()

    def called():
        assert greenlet(lambda: 1).switch() == 1
        mains.append(getcurrent())
        assert mains[-1].parent is None

    assert foreign_thread.call(called, 1, 10) == 0
    assert len(set(map(id, mains))) == 10
    mains.clear()
    gc.collect()
    assert get_total_main_greenlets() == before


def test_what_each_call_leaves_suspended_is_released(foreign_thread):
    watch = weakref.WeakSet()

    def called():
        witness = Witness()
        watch.add(witness)
        cell = [greenlet(parrot), greenlet(parrot)]
        for g in cell:
            g.switch((witness, cell))

    assert foreign_thread.call(called, 1, 50) == 0
    gc.collect()
    assert len(watch) == 0


def test_a_greenlet_of_an_earlier_call_belongs_to_an_ended_thread(foreign_thread):
    kept = []
    messages = []

    def called():
        for g in kept:
            with pytest.raises(error) as raised:
                g.switch(1)
            messages.append(str(raised.value))
        kept.append(greenlet(parrot))
        kept[-1].switch(1)

    assert foreign_thread.call(called, 1, 5) == 0
    assert len(messages) == 10 and all("different thread" in message for message in messages)


def test_several_at_once(foreign_thread):
    kept = []

    def called():
        g = greenlet(parrot)
        for i in range(5):
            assert g.switch(i) == i
        kept.append(g)
        if len(kept) > 20:
            del kept[:10]

    before = get_total_main_greenlets()
    assert foreign_thread.call(called, 8, 25) == 0  # a full collection each
    kept.clear()
    gc.collect()
    assert get_total_main_greenlets() == before


def test_it_can_be_called_from_a_greenlet(foreign_thread):
    def run():
        return foreign_thread.call(lambda: greenlet(parrot).switch(1), 2, 3), getcurrent().parent.switch("between")

    g = greenlet(run)
    assert g.switch() == "between"
    assert g.switch("end") == (0, "end")
