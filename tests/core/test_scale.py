"""Many greenlets at once, and long chains of them."""

import gc
import weakref

import pytest
from support.environment import RUNS_UNDER_VALGRIND
from support.greenlets import collect, suspended
from support.processes import output_of

from greenlet import getcurrent, greenlet, stack_size


@pytest.fixture(autouse=True)
def stacks_that_valgrind_can_mark():
    # For each greenlet that starts, Valgrind marks the memory of its stack. 8 MiB take it so long that 10,000
    # greenlets do not start within half an hour.
    before = stack_size(256 << 10) if RUNS_UNDER_VALGRIND else None
    yield
    if before is not None:
        stack_size(before)


def test_ten_thousand_are_suspended_at_once():
    def run(number):
        return number, getcurrent().parent.switch(number)

    greenlets = [greenlet(run) for _ in range(10_000)]
    assert [g.switch(number) for number, g in enumerate(greenlets)] == list(range(10_000))
    gc.collect()
    assert [g.switch("end") for g in reversed(greenlets)] == [(n, "end") for n in reversed(range(10_000))]
    assert all(g.dead for g in greenlets)


def test_ten_thousand_are_killed_at_once():
    finished = []

    def run(number):
        try:
            getcurrent().parent.switch()
        finally:
            finished.append(number)

    greenlets = [suspended(run, number) for number in range(10_000)]
    del greenlets
    assert sorted(finished) == list(range(10_000))


def test_a_hundred_thousand_live_one_after_the_other():
    assert sum(greenlet(lambda v: v).switch(1) for _ in range(100_000)) == 100_000


# A chain of 100,000 parents, built from the youngest up, because setting a parent visits all its ancestors.
CHAIN = """
from greenlet import greenlet

def chain(finished):
    greenlets = [greenlet(lambda: None) for _ in range(100_000)]
    for child, parent in zip(greenlets, greenlets[1:]):
        if finished:
            child.switch()
        child.parent = parent
    return greenlets[0]
"""


def test_a_chain_of_a_hundred_thousand_unstarted_parents_is_freed():
    assert output_of(CHAIN + "g = chain(False); del g; print('freed')") == "freed\n"


def test_a_chain_of_a_hundred_thousand_finished_parents_is_freed():
    assert output_of(CHAIN + "g = chain(True); del g; print('freed')") == "freed\n"


def test_a_chain_of_a_hundred_thousand_parents_is_freed_in_a_greenlet():
    assert output_of(CHAIN + "print(greenlet(lambda: (chain(False), 'freed')[1]).switch())") == "freed\n"


def test_a_chain_of_a_hundred_thousand_parents_is_collected_in_a_cycle():
    assert (
        output_of(
            CHAIN
            + """
import gc, weakref
g = chain(False)
top = g.parent.parent
top.youngest = g
alive = weakref.ref(g)
del g, top
gc.collect()
print(alive())
"""
        )
        == "None\n"
    )


def test_a_chain_of_suspended_children_finishes_from_the_innermost():
    def nested(depth):
        if depth == 0:
            return 0
        return greenlet(nested).switch(depth - 1) + 1

    assert greenlet(nested).switch(2_000) == 2_000


def test_a_result_passes_a_long_chain_of_dead_parents():
    g = None
    for _ in range(2_000):
        parent = g
        g = greenlet(lambda: None)
        g.switch()
        if parent is not None:
            g.parent = parent
    assert greenlet(lambda: "result", g).switch() == "result"


def test_an_exception_passes_a_long_chain_of_unstarted_parents():
    g = None
    for _ in range(1_000):
        g = greenlet(len, g)

    def run():
        raise LookupError

    alive = weakref.ref(g)
    child = greenlet(run, g)
    del g
    try:
        child.switch()
    except LookupError:
        pass
    del child
    collect()
    assert alive() is None


def test_switching_round_a_ring():
    count = 1_000
    ring = []

    def run(position):
        for _ in range(10):
            following = ring[(position + 1) % count]
            following.switch(*((position + 1) % count,) if not following else ())

    ring.extend(greenlet(run) for _ in range(count))
    ring[0].switch(0)
    assert sum(g.dead for g in ring) >= 1
    for g in ring:
        while g and not g.dead:
            g.throw()
    ring.clear()
