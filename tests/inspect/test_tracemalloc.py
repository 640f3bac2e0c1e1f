"""tracemalloc counts the stacks of greenlets, in a domain of its own, while it traces."""

import tracemalloc

import pytest
from support.greenlets import collect, suspended

from greenlet import getcurrent, greenlet
from greenlet.inspect import TRACEMALLOC_DOMAIN


@pytest.fixture(autouse=True)
def ends():
    yield
    tracemalloc.stop()


@pytest.fixture
def tracing(ends):
    tracemalloc.start()


def stacks():
    """Return the traces of stacks by the line that started the greenlet: {line: [sizes]}."""
    found = {}
    for trace in tracemalloc.take_snapshot().filter_traces([tracemalloc.DomainFilter(True, TRACEMALLOC_DOMAIN)]).traces:
        assert trace.traceback[0].filename == __file__
        found.setdefault(trace.traceback[0].lineno, []).append(trace.size)
    return found


def wait():
    getcurrent().parent.switch()


def start(count):
    waiting = [greenlet(wait) for _ in range(count)]
    for g in waiting:
        g.switch()
    return waiting


LINE_THAT_STARTS = start.__code__.co_firstlineno + 3


def test_stacks_are_counted_where_their_greenlets_were_started(tracing):
    waiting = start(5)
    sizes = stacks()[LINE_THAT_STARTS]
    assert len(sizes) == len(waiting) == 5
    assert all(size >= 4096 for size in sizes)


def test_a_stack_is_no_longer_counted_when_its_greenlet_has_finished(tracing):
    waiting = start(3)
    waiting.pop().switch()
    assert len(stacks()[LINE_THAT_STARTS]) == 2
    waiting.clear()  # they are killed
    collect()
    assert not stacks()


def test_a_stack_that_is_used_again_is_counted_once(tracing):
    for _ in range(3):
        kept = start(1)
    assert [len(sizes) for sizes in stacks().values()] == [len(kept)]


def test_nothing_is_counted_of_greenlets_started_before():
    early = suspended(wait)
    tracemalloc.start()
    assert not stacks()
    early.switch()


def test_greenlets_may_finish_after_tracing_has_stopped():
    tracemalloc.start()
    waiting = start(3)
    tracemalloc.stop()
    for g in waiting:
        g.switch()
    tracemalloc.start()
    assert not stacks()
