"""The collector visits the frames of suspended greenlets: unreachable cycles through them are collected."""

import contextvars
import gc
import sys
import weakref

import pytest
from support.environment import HAS_ADDRESS_SANITIZER, IS_FREE_THREADED
from support.greenlets import collect, suspended
from support.processes import run_python
from support.threads import in_thread

from greenlet import GreenletExit, getcurrent, greenlet
from greenlet._greenlet import get_total_main_greenlets


class Local:
    pass


@pytest.mark.skipif(not HAS_ADDRESS_SANITIZER, reason="needs the report of AddressSanitizer")
@pytest.mark.parametrize("run", ["lambda: None", "None"], ids=["finished", "unstarted"])
def test_the_use_of_a_freed_greenlet_is_reported(run):
    # This shows that builds with AddressSanitizer keep no freed greenlet for reuse.
    done = run_python(f"""
        import ctypes
        from greenlet import greenlet

        g = greenlet({run})
        if {run} is not None:
            g.switch()
        address = id(g)
        del g
        ctypes.string_at(address, 16)
        """)
    assert done.returncode != 0
    assert "heap-use-after-free" in done.stderr


def test_a_greenlet_that_its_own_frame_refers_to():
    events = []

    def run(cell):
        me = getcurrent()
        try:
            me.parent.switch()
        except GreenletExit:
            events.append("killed")
            raise
        finally:
            events.append("finally")

    alive = weakref.ref(suspended(run, []))
    collect()
    assert events == ["killed", "finally"] and alive() is None


def test_a_cycle_through_a_container_argument():
    events = []

    def run(cell):
        try:
            getcurrent().parent.switch()
        finally:
            events.append("finally")

    cell = []
    cell.append(suspended(run, cell))
    alive = weakref.ref(cell[0])
    del cell
    collect()
    assert events == ["finally"] and alive() is None


def test_a_cycle_through_a_closure():
    def make():
        def run():
            getcurrent().parent.switch(me)

        me = greenlet(run)
        me.switch()
        return weakref.ref(me)

    alive = make()
    collect()
    assert alive() is None


def test_a_cycle_through_an_instance_attribute():
    class Owner:
        def __init__(self):
            self.greenlet = greenlet(self.run)
            self.greenlet.switch()

        def run(self):
            getcurrent().parent.switch()

    alive = weakref.ref(Owner())
    collect()
    assert alive() is None


def test_a_cycle_through_the_dictionary_of_the_greenlet():
    g = suspended()
    g.me = g
    alive = weakref.ref(g)
    del g
    collect()
    assert alive() is None


def test_a_cycle_of_two_greenlets():
    events = []

    def run(name, other):
        try:
            getcurrent().parent.switch()
        finally:
            events.append(name)

    a_cell, b_cell = [], []
    a_cell.append(suspended(run, "a", b_cell))
    b_cell.append(suspended(run, "b", a_cell))
    alive = weakref.ref(a_cell[0]), weakref.ref(b_cell[0])
    del a_cell, b_cell
    collect()
    assert sorted(events) == ["a", "b"]
    assert [reference() for reference in alive] == [None, None]


def test_a_cycle_of_parent_and_child():
    alive = []

    def parent():
        child = greenlet(lambda: main.switch())
        alive.append(weakref.ref(child))
        child.switch()

    main = getcurrent()
    g = greenlet(parent)
    alive.append(weakref.ref(g))
    g.switch()
    del g
    collect()
    assert [reference() for reference in alive] == [None, None]


def test_a_cycle_below_many_frames():
    def nested(depth, cell):
        local = Local()  # noqa: F841
        if depth:
            return nested(depth - 1, cell)
        getcurrent().parent.switch()

    cell = []
    cell.append(suspended(nested, 50, cell))
    alive = weakref.ref(cell[0])
    del cell
    collect()
    assert alive() is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the generator can't be closed first
def test_a_cycle_in_a_suspended_generator():
    def generator(cell):
        local = cell  # noqa: F841
        getcurrent().parent.switch()
        yield

    def run(it):
        for _ in it:
            pass

    cell = []
    it = generator(cell)
    cell.append(suspended(run, it))
    alive = weakref.ref(cell[0])
    del cell, it
    collect()
    # Some versions of the interpreter do not visit a running generator.
    assert alive() is None or sys.version_info < (3, 15)


def test_a_cycle_of_values_that_only_the_frame_has():
    class Collected:
        pass

    def run():
        a, b = Collected(), Collected()
        a.other, b.other = b, a
        alive = weakref.ref(a)
        del a, b
        getcurrent().parent.switch(alive)

    g = greenlet(run)
    alive = g.switch()
    collect()
    assert alive() is None and g
    g.switch()


def test_an_exception_whose_traceback_refers_to_the_greenlet():
    def run():
        try:
            raise LookupError
        except LookupError as exception:
            kept = exception  # noqa: F841
            getcurrent().parent.switch()

    alive = weakref.ref(suspended(run))
    collect()
    assert alive() is None


def test_the_context_of_a_greenlet_can_be_part_of_a_cycle():

    variable = contextvars.ContextVar("variable")

    def run():
        variable.set(getcurrent())
        getcurrent().parent.switch()

    alive = weakref.ref(suspended(run))
    collect()
    assert alive() is None


def test_an_unstarted_greenlet_in_a_cycle():
    class Owner:
        def __init__(self):
            self.greenlet = greenlet(self.run)

        def run(self):
            pytest.fail("ran")

    owner = Owner()
    alive = weakref.ref(owner.greenlet)
    del owner
    collect()
    assert alive() is None


def test_a_finished_greenlet_in_a_cycle():
    g = greenlet(lambda: None)
    g.switch()
    g.me = g
    alive = weakref.ref(g)
    del g
    collect()
    assert alive() is None


def test_what_is_reachable_is_left_alone():
    def run():
        local = Local()
        alive = weakref.ref(local)
        me = getcurrent()
        while True:
            me.parent.switch(alive)

    g = greenlet(run)
    alive = g.switch()
    for _ in range(5):
        collect()
        assert g.switch() is alive and alive() is not None


def test_what_is_only_reachable_through_a_suspended_frame_is_left_alone():
    inner = []

    def run():
        held = suspended()
        inner.append(weakref.ref(held))
        getcurrent().parent.switch()
        return held

    g = suspended(run)
    for _ in range(3):
        collect()
        assert inner[0]() is not None
    held = g.switch()
    assert held and held is inner[0]()


def test_values_on_the_stack_of_an_expression_are_left_alone():
    def run():
        return [Local(), {"k": Local()}, (Local(), getcurrent().parent.switch())]

    g = suspended(run)
    collect()
    first, second, (third, value) = g.switch("value")
    assert all(type(v) is Local for v in (first, second["k"], third)) and value == "value"


def test_loops_over_a_list_are_left_alone():
    def run():
        total = []
        for value in [Local() for _ in range(3)]:
            for _ in (Local(), Local()):
                getcurrent().parent.switch()
                total.append(type(value) is Local)
        return total

    g = suspended(run)
    while g:
        collect()
        result = g.switch()
    assert result == [True] * 6


def test_get_referents_includes_locals():
    def run():
        local = Local()
        getcurrent().parent.switch(local)

    g = greenlet(run)
    local = g.switch()
    assert any(local is referent for referent in gc.get_referents(g))
    assert any(g is referrer for referrer in gc.get_referrers(local))
    g.switch()


@pytest.mark.skipif(IS_FREE_THREADED, reason="code is collectable without a GIL")
def test_what_is_not_shown_to_the_collector_is_not_collectable():
    is_collectable = 1 << 14
    assert not (lambda: None).__code__.__class__.__flags__ & is_collectable


def test_collections_while_greenlets_come_and_go():
    # A collection expects those of the last one, in its order.
    alive = []
    for turn in range(6):
        cells = [[] for _ in range(40)]
        parked = [suspended(lambda cell: getcurrent().parent.switch(), cell) for cell in cells]
        for cell, each in zip(cells, parked):
            cell.append(each)
        alive += map(weakref.ref, parked[::2])
        del each, cell, cells, parked[turn::2]
        collect()
        parked.reverse()
        collect()
        assert all(parked)
        del parked
        collect()
        assert not any(each() for each in alive)


def test_a_greenlet_is_tracked():
    assert gc.is_tracked(greenlet()) and gc.is_tracked(getcurrent())


def test_freeze_and_debug_flags_do_no_harm():
    g = suspended()
    gc.freeze()
    collect()
    gc.unfreeze()
    g.switch()
    assert g.dead


def test_thousands_of_cycles_leave_nothing_behind():
    alive = weakref.WeakSet()

    def run(cell):
        local = Local()
        alive.add(local)
        getcurrent().parent.switch()

    for _ in range(3_000):
        cell = []
        cell.append(suspended(run, cell))
    del cell
    collect()
    assert len(alive) == 0


class TestWhatTheReferenceLeaks:
    """Cases that the documentation and the issue tracker of greenlet 3.5 describe as leaks."""

    def test_cycles_that_a_suspended_frame_made_and_dropped(self):
        alive = []

        def run():
            first, second = Local(), Local()
            first.other, second.other = second, first
            alive.extend(map(weakref.ref, (first, second)))
            del first, second
            getcurrent().parent.switch()

        g = suspended(run)
        assert all(reference() for reference in alive)
        collect()
        assert g and not any(reference() for reference in alive)

    def test_cycles_in_the_frame_of_a_greenlet_that_another_one_left_behind(self):
        alive = []

        def inner():
            first, second = Local(), Local()
            first.other, second.other = second, first
            alive.extend(map(weakref.ref, (first, second)))
            getcurrent().parent.switch()

        def outer():
            g = greenlet(inner)
            g.switch()
            collect()
            assert g and all(reference() for reference in alive)

        g = greenlet(outer)
        g.switch()
        assert g.dead
        collect()
        assert not any(reference() for reference in alive)

    def test_greenlets_that_hold_each_other_in_a_ring(self):
        alive = weakref.WeakSet()

        def run(following):
            value = Local()
            alive.add(value)
            getcurrent().parent.switch()
            return following, value

        cells = [[] for _ in range(50)]
        for number, cell in enumerate(cells):
            cell.append(suspended(run, cells[(number + 1) % 50]))
        assert len(alive) == 50
        del cells, cell
        collect()
        assert len(alive) == 0

    def test_a_run_that_holds_its_greenlet(self):
        class Job:
            def work(self):
                getcurrent().parent.switch()

        job = Job()
        job.greenlet = greenlet(job.work)
        job.greenlet.switch()
        alive = weakref.ref(job)
        del job
        collect()
        assert alive() is None

    def test_a_caught_exception_that_leads_back_to_the_suspended_frame(self):
        alive = []

        def run():
            value = Local()
            alive.append(weakref.ref(value))
            me = getcurrent()
            try:
                raise ValueError(me, value)
            except ValueError as exception:
                value.exception = exception
                me.parent.switch()

        suspended(run)
        collect()
        assert alive[0]() is None

    def test_greenlets_of_a_thread_that_another_one_held(self):
        alive = weakref.WeakSet()
        held = []

        def run():
            value = Local()
            value.greenlet = getcurrent()
            alive.add(value)
            getcurrent().parent.switch()

        for _ in range(20):
            in_thread(lambda: held.extend([suspended(run), getcurrent()]))
        assert len(alive) == 20
        held.clear()
        collect()
        assert len(alive) == 0

    def test_main_greenlets_of_threads_that_ended_without_another_word(self):
        before = get_total_main_greenlets()
        alive = [weakref.ref(in_thread(getcurrent)) for _ in range(20)]
        collect()
        assert not any(reference() for reference in alive)
        assert get_total_main_greenlets() == before

    def test_starting_and_finishing_again_and_again(self):
        def blocks():
            for _ in range(2000):
                assert greenlet(lambda *arguments: arguments, getcurrent()).switch(1, 2) == (1, 2)
            collect()
            return sys.getallocatedblocks()

        blocks()
        before = blocks()
        assert blocks() - before < 100


def test_a_collection_frees_what_a_suspended_greenlet_had_kept_in_no_promised_order():
    # An earlier collection visits what the greenlet keeps, which changes the order of the collector's list.
    class Witness:
        def __init__(self, number):
            self.itself = self
            self.number = number

        def __del__(self):
            gone.append(self.number)

    gone = []
    kept = [Witness(1)]
    g = greenlet(lambda kept: getcurrent().parent.switch())
    g.switch(kept.pop())
    Witness(2)
    gc.collect()
    assert gone == [2]
    Witness(3)
    g.switch()
    gc.collect()
    assert sorted(gone) == [1, 2, 3]
