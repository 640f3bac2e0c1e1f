"""greenlet.stackless: tasklets are inserted, removed, run and switched to; their attributes."""

import copy
import gc
import pickle
import sys

import pytest
from support.scheduler import WITH_A_SCHEDULER
from support.tasklets import noted, paused

import greenlet.stackless as stackless
from greenlet.stackless import channel, getcurrent, getmain, run, schedule_remove, tasklet

pytestmark = WITH_A_SCHEDULER


def test_tasklets_run_in_the_order_of_insertion():
    log = []
    for name in "abc":
        tasklet(noted(log, 1))(name)
    run()
    assert log == list("abcabc")


def test_insert_twice_schedules_once():
    log = []
    t = tasklet(log.append)(1)
    t.insert()
    run()
    assert log == [1]


def test_insert_refuses_the_dead_and_the_blocked():
    with pytest.raises(RuntimeError, match="unbound"):
        tasklet().insert()
    c = channel()
    t = tasklet(c.receive)()
    run()
    with pytest.raises(RuntimeError, match="blocked"):
        t.insert()
    c.send(None)


def test_remove_pauses():
    log = []
    t = tasklet(log.append)(1)
    assert t.remove() is t
    assert t.paused and not t.scheduled
    run()
    assert log == []
    assert t.remove() is t  # does nothing
    t.insert()
    run()
    assert log == [1]


def test_the_current_tasklet_can_not_be_removed():
    with pytest.raises(RuntimeError, match="current"):
        getcurrent().remove()


def test_a_blocked_tasklet_can_not_be_removed():
    c = channel()
    t = tasklet(c.receive)()
    run()
    with pytest.raises(RuntimeError, match="blocked"):
        t.remove()
    t.kill()


def test_run_of_a_scheduled_tasklet_runs_those_behind_it_too():
    log = []
    one, two, three = (tasklet(noted(log, 1))(name) for name in "abc")
    two.run()
    assert log == ["b", "c"]
    run()
    assert log == ["b", "c", "a", "b", "c", "a"]


def test_run_of_a_paused_tasklet_comes_back_at_once():
    log = []
    one, two, three = (tasklet(noted(log, 1))(name) for name in "abc")
    two.remove()
    two.run()
    assert log == ["b"]
    assert two.scheduled
    run()


def test_run_of_the_current_tasklet_does_nothing():
    assert getcurrent().run() is None
    assert getcurrent().switch() is None


def test_run_refuses_the_dead_and_the_blocked():
    for method in ("run", "switch"):
        with pytest.raises(RuntimeError, match="unbound"):
            getattr(tasklet(), method)()
        c = channel()
        t = tasklet(c.receive)()
        run()
        with pytest.raises(RuntimeError, match="blocked"):
            getattr(t, method)()
        t.kill()


def test_switch_pauses_the_caller():
    main = getcurrent()
    log = []

    def function():
        log.append((main.paused, main.scheduled))
        main.switch()
        log.append("again")

    t = tasklet(function)()
    t.switch()
    assert log == [(True, False)]
    assert t.paused
    t.run()
    assert log[1:] == ["again"]


def test_switch_to_a_paused_tasklet():
    main = getcurrent()
    t = tasklet(lambda: main.switch(), ())
    t.switch()
    assert t.paused and main.scheduled
    t.insert()
    run()
    assert not t.alive


def test_states():
    def states(t):
        return {
            name
            for name in ("alive", "paused", "blocked", "scheduled", "is_current", "is_main", "restorable")
            if getattr(t, name)
        }

    c = channel()
    seen = []
    t = tasklet(lambda: (seen.append(states(getcurrent())), c.receive()))
    assert states(t) == {"restorable"}
    t.bind(None, ())
    assert states(t) == {"alive", "paused", "restorable"}
    t.insert()
    assert states(t) == {"alive", "scheduled", "restorable"}
    run()
    assert seen == [{"alive", "scheduled", "is_current"}]
    assert states(t) == {"alive", "blocked", "scheduled"}
    c.send(None)
    assert states(t) == {"restorable"}
    assert states(getmain()) == {"alive", "scheduled", "is_current", "is_main"}


def test_next_and_prev_follow_the_chain():
    main = getcurrent()
    assert main.next is main and main.prev is main
    one, two = tasklet(print)(), tasklet(print)()
    assert (main.next, one.next, two.next) == (one, two, main)
    assert (main.prev, one.prev, two.prev) == (two, main, one)
    one.kill()
    assert one.next is None and one.prev is None
    assert main.next is two
    two.kill()


def test_thread_id():
    import threading

    assert tasklet().thread_id == threading.get_ident() == getmain().thread_id


def test_flags():
    t = tasklet()
    assert t.set_atomic(1) is False and t.atomic is True
    assert t.set_atomic(0) is True and t.atomic is False
    assert t.set_ignore_nesting(1) is False and t.ignore_nesting is True
    assert t.set_ignore_nesting(0) is True
    assert t.block_trap is False
    t.block_trap = 1
    assert t.block_trap is True
    assert t.nesting_level == 0
    with pytest.raises(TypeError):
        t.set_atomic()


def test_read_only_attributes():
    for name in ("alive", "blocked", "scheduled", "paused", "is_main", "is_current", "thread_id", "frame", "next"):
        with pytest.raises(AttributeError):
            setattr(tasklet(), name, 1)


def test_frame_and_recursion_depth():
    def inner():
        schedule_remove()

    def outer():
        inner()

    t = tasklet(outer)
    assert t.frame is None and t.recursion_depth == 0
    t()
    run()
    assert t.frame.f_code.co_name == "inner"
    assert t.frame.f_back.f_code.co_name == "outer"
    assert t.recursion_depth == 2
    t.kill()
    assert t.frame is None
    assert getcurrent().frame is sys._getframe()
    assert getcurrent().recursion_depth > 2


def test_tempval_is_what_schedule_remove_returns():
    seen = []
    t = paused(lambda: seen.append(schedule_remove(1)))
    assert t.tempval == 1
    t.tempval = "other"
    t.insert()
    run()
    assert seen == ["other"]


def test_tempval_of_a_bound_tasklet_is_its_function():
    t = tasklet(print)
    assert t.tempval is print
    seen = []
    t.tempval = seen.append
    t(1)
    run()
    assert seen == [1]
    assert tasklet().tempval is None


def test_a_tasklet_that_has_not_begun_can_be_pickled():
    t = tasklet(print, (1,), {"end": ""})
    t.block_trap = True
    again = pickle.loads(pickle.dumps(t))
    assert again.alive and again.paused and again.block_trap
    assert again.__reduce__()[2] == t.__reduce__()[2]


def test_a_scheduled_one_is_scheduled_again():
    t = tasklet(len)(())
    again = copy.copy(t)
    assert again.scheduled
    assert stackless.getruncount() == 3
    run()


def test_one_that_has_begun_can_not_be_pickled():
    t = paused()
    with pytest.raises(NotImplementedError, match="C stack"):
        pickle.dumps(t)
    t.kill()
    assert not pickle.loads(pickle.dumps(t)).alive


@pytest.mark.parametrize("arguments", [(), (None,), (1, 2), (tasklet(len),), (stackless.getmain(),)])
def test_what_greenlets_of_tasklets_run_is_not_for_others(arguments):
    # Programs can find the function.
    builtins = [each for each in gc.get_objects() if type(each) is type(len) and each.__name__ == "run_tasklet"]
    assert builtins
    with pytest.raises(RuntimeError, match="only a scheduler runs tasklets"):
        builtins[0](*arguments)
