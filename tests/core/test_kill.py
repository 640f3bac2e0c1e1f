"""When the last reference to a greenlet is released, GreenletExit is thrown into it."""

import gc
import sys
import weakref

import pytest
from support.greenlets import suspended

from greenlet import GreenletExit, getcurrent, greenlet


def keeper(events, action=None):
    """Return a suspended greenlet that records how it ends, and calls *action* when it is resumed for that."""

    def run():
        try:
            getcurrent().parent.switch()
            events.append("resumed")
        except GreenletExit:
            events.append("killed")
            if action is not None:
                action()
            raise
        finally:
            events.append("finally")

    return suspended(run)


def test_finally_blocks_run():
    events = []
    g = keeper(events)
    assert events == []
    del g
    assert events == ["killed", "finally"]


def test_with_blocks_are_left():
    events = []

    class Manager:
        def __enter__(self):
            return self

        def __exit__(self, kind, value, tb):
            events.append(kind)

    def run():
        with Manager():
            getcurrent().parent.switch()

    g = suspended(run)
    del g
    assert events == [GreenletExit]


def test_all_nested_finally_blocks_run():
    events = []

    def nested(depth):
        try:
            if depth:
                nested(depth - 1)
            else:
                getcurrent().parent.switch()
        finally:
            events.append(depth)

    g = suspended(nested, 20)
    del g
    assert events == list(range(21))


def test_its_locals_are_released():
    class Local:
        pass

    def run():
        local = Local()
        getcurrent().parent.switch(weakref.ref(local))

    g = greenlet(run)
    alive = g.switch()
    assert alive() is not None
    del g
    assert alive() is None


def test_whoever_released_it_goes_on_whatever_the_parent_is():
    main = getcurrent()
    parent = suspended()
    events = []

    def run():
        try:
            main.switch()
        finally:
            events.append("finally")

    g = greenlet(run, parent)
    g.switch()
    del g
    assert events == ["finally"] and getcurrent() is main
    assert parent and not parent.dead


def test_it_may_happen_in_another_greenlet():
    events = []
    owner = suspended(lambda g: getcurrent().parent.switch(), keeper(events))
    assert events == []
    owner.switch()
    del owner
    assert events == ["killed", "finally"]


def test_a_greenlet_may_be_killed_by_one_that_is_being_killed():
    events = []

    def run(inner):
        try:
            getcurrent().parent.switch()
        finally:
            events.append("outer")
            del inner[:]

    g = suspended(run, [keeper(events)])
    del g
    assert events == ["outer", "killed", "finally"]


def test_finally_blocks_may_switch():
    events = []
    other = suspended(lambda: [events.append(getcurrent().parent.switch()) for _ in range(3)])

    def run():
        main = getcurrent().parent
        try:
            main.switch()
        finally:
            other.parent = getcurrent()
            other.switch("from finally")
            events.append("finally goes on")

    # `other` switches to its parent, which is now the greenlet being killed.
    g = suspended(run)
    del g
    assert events == ["from finally", "finally goes on"]


def test_an_exception_is_reported_and_goes_no_further(monkeypatch):
    reports = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: reports.append(report.exc_value))

    def run():
        try:
            getcurrent().parent.switch()
        finally:
            raise LookupError("in the end")

    g = suspended(run)
    del g
    assert [type(report) for report in reports] == [LookupError]
    assert sys.exc_info() == (None, None, None)


def test_the_exception_in_flight_survives():
    events = []
    g = keeper(events)
    with pytest.raises(LookupError):
        try:
            raise LookupError
        finally:
            del g
    assert events == ["killed", "finally"]


def test_it_happens_while_an_exception_unwinds_the_frame_that_held_it():
    events = []

    def holder():
        held = keeper(events)  # noqa: F841
        raise LookupError

    try:
        holder()
    except LookupError as exception:
        assert events == []
        exception.__traceback__ = None
    gc.collect()
    assert events == ["killed", "finally"]


def test_a_result_is_ignored():
    def run():
        try:
            getcurrent().parent.switch()
        except GreenletExit:
            return "ignored"

    g = suspended(run)
    del g
    assert getcurrent().parent is None


def test_storing_a_reference_resurrects_it():
    saved = []

    def run():
        try:
            getcurrent().parent.switch()
        except GreenletExit:
            saved.append(getcurrent())
            getcurrent().parent.switch()
        return "finished later"

    g = suspended(run)
    del g
    assert len(saved) == 1 and saved[0] and not saved[0].dead
    assert saved.pop().switch() == "finished later"


def test_it_can_be_resurrected_more_than_once():
    saved = []
    caught = []

    def run():
        while len(caught) < 3:
            try:
                getcurrent().parent.switch()
            except GreenletExit:
                caught.append(1)
                saved.append(getcurrent())

    g = suspended(run)
    del g
    for times in (1, 2):
        assert len(caught) == times and len(saved) == 1 and not saved[0].dead
        saved.clear()
    assert len(caught) == 3 and saved.pop().dead


def test_a_weak_reference_is_dead_when_its_callback_runs():
    calls = []
    g = suspended()
    reference = weakref.ref(g, lambda r: calls.append(r()))
    del g
    assert calls == [None] and reference() is None


def test_the_class_of_the_greenlet_may_resurrect_it_in_del():
    saved = []

    class Phoenix(greenlet):
        def __del__(self):
            saved.append(self)

    g = Phoenix(lambda: getcurrent().parent.switch())
    g.switch()
    del g
    assert len(saved) == 1
    g = saved.pop()
    if not g.dead:
        g.switch()
    assert g.dead


def test_the_running_greenlet_stays_alive_without_references():
    def run():
        gc.collect()
        return "still ran"

    assert greenlet(run).switch() == "still ran"
    main = getcurrent()
    holder = [greenlet(lambda: (holder.clear(), gc.collect(), main.switch("on its way"))[2])]
    assert holder[0].switch() == "on its way"
    gc.collect()


def test_an_unstarted_one_is_not_run():
    calls = []
    g = greenlet(calls.append)
    del g
    assert calls == []


def test_a_finished_one_is_not_run_again():
    calls = []
    g = greenlet(lambda: calls.append(1))
    g.switch()
    del g
    assert calls == [1]


def test_all_of_a_list_are_killed_in_order():
    events = []

    def run(number):
        try:
            getcurrent().parent.switch()
        finally:
            events.append(number)

    greenlets = [suspended(run, i) for i in range(100)]
    greenlets.clear()
    assert sorted(events) == list(range(100))


def test_a_chain_of_suspended_greenlets_that_hold_each_other_is_killed():
    events = []

    def run(number, held):
        try:
            getcurrent().parent.switch()
        finally:
            events.append(number)

    g = None
    for number in range(200):
        g = suspended(run, number, g)
    del g
    gc.collect()
    assert sorted(events) == list(range(200))


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="there an exception always has its traceback")
def test_the_result_of_a_killed_greenlet_does_not_keep_its_frames():
    class Witness:
        def __del__(self):
            seen.append("gone")

    def run():
        witness = Witness()  # noqa: F841 - kept alive by the frame
        getcurrent().parent.switch()

    seen = []
    g = greenlet(run)
    g.switch()
    result = g.throw()
    assert isinstance(result, GreenletExit)
    assert seen == ["gone"]
