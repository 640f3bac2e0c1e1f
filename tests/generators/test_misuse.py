"""Wrong uses of generators: yield_() outside of them, use within themselves, in several threads."""

import sys
import threading
import types

import pytest
from support.environment import IS_FREE_THREADED, RACES
from support.generators import count_to
from support.processes import output_of_stress
from support.threads import begun_by_one_of_several_threads, in_thread, outcomes_in_threads

import greenlet
from greenlet import getcurrent
from greenlet.generators import generator, yield_


def test_yield_outside_of_a_generator():
    with pytest.raises(RuntimeError, match="outside of a running generator"):
        yield_(1)
    assert list(count_to(1)) == [1]
    with pytest.raises(RuntimeError, match="outside of a running generator"):
        yield_(1)


def test_reentrance():
    @generator
    def reenters(how):
        yield_(1)
        how(g)

    for how in (next, lambda g: g.send(None), lambda g: g.throw(LookupError), lambda g: g.close()):
        g = reenters(how)
        next(g)
        with pytest.raises(ValueError, match="generator already executing"):
            next(g)


@pytest.mark.parametrize("use", [next, list], ids=["next", "list"])
def test_use_of_one_that_runs_does_not_change_how_its_end_is_told(use):
    # The end was once reported to send() as to next(), that is, without an exception: SystemError.
    @generator
    def function():
        with pytest.raises(ValueError, match="already executing"):
            use(g)

    g = function()
    with pytest.raises(StopIteration):
        g.send(None)


def test_one_that_began_in_another_thread():
    g = count_to(3)
    assert in_thread(lambda: next(g)) == 1
    with pytest.raises(greenlet.error):
        next(g)


def test_one_that_did_not_begin_can_move_to_another_thread():
    g = count_to(3)
    assert in_thread(lambda: list(g)) == [1, 2, 3]


def test_one_released_in_another_thread_is_closed_in_its_own():
    @generator
    def says_where_it_ends():
        try:
            yield_(1)
        finally:
            ended.append(threading.get_ident())

    ended = []
    box = [says_where_it_ends()]
    next(box[0])
    so_far = in_thread(lambda: box.clear() or list(ended))
    # Without a GIL this thread may already have closed it.
    assert so_far == [] or IS_FREE_THREADED
    getcurrent()
    assert ended == [threading.get_ident()]


def test_a_thread_may_end_with_suspended_ones():
    def leave_one():
        generators.append(count_to(3))
        next(generators[-1])

    generators = []
    in_thread(leave_one)
    with pytest.raises(greenlet.error):
        next(generators[0])
    generators.clear()


def test_threads_that_begin_one_at_once():
    # Without a GIL two threads once started it: crash.
    @generator
    def function(*arguments, **named):
        begun.append(arguments)
        yield_(1)

    for _ in range(RACES):
        begun = []
        g = function([], named=[])
        begun_by_one_of_several_threads(lambda: next(g), 1)
        assert len(begun) == 1


def test_threads_that_begin_and_close_one_at_once():
    # One thread once released the arguments while another started it.
    @generator
    def function(*arguments, **named):
        begun.append(sys.getrefcount(arguments[0]) > 0)

    for _ in range(RACES):
        begun = []
        g = function([], [], [], named=[])
        use = [list, lambda g: g.close(), lambda g: g.throw(LookupError), lambda g: g.gi_frame]
        outcomes = outcomes_in_threads(lambda: use.pop()(g))
        assert len(begun) <= 1
        expected = (type(None), types.FrameType, list, ValueError, LookupError, greenlet.error)
        assert all(isinstance(outcome, expected) for outcome in outcomes)
        g.close()
        assert not g.gi_running


def test_threads_that_share_generators_and_coroutines():
    # tests/stress/generator_threads.py SECONDS runs longer.
    assert ", 0 wrong, " in output_of_stress("generator_threads.py", 2)


def test_threads_share_nothing():
    def work():
        for _ in range(200):
            results.append(sum(count_to(20)))

    results = []
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [210] * 800
