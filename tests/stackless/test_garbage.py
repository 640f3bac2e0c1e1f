"""greenlet.stackless: tasklets that can't be woken any more are collected."""

import gc
import sys
import threading
import weakref

import pytest
from support.greenlets import collect
from support.processes import output_of, output_of_stress
from support.scheduler import WITH_A_SCHEDULER
from support.threads import in_thread

import greenlet
import greenlet.stackless as stackless
from greenlet.stackless import TaskletExit, channel, getcurrent, getmain, run, schedule, schedule_remove, tasklet

pytestmark = WITH_A_SCHEDULER


class Marker:
    pass


def abandoned(wait):
    """Start a tasklet that calls *wait*. Returns its events, first a weak reference to one of its local objects."""
    events = []

    def function():
        marker = Marker()
        events.append(weakref.ref(marker))
        try:
            wait()
        except TaskletExit:
            events.append("killed")
            raise
        finally:
            events.append("finally")

    tasklet(function)()
    run()
    return events


def test_a_tasklet_blocked_on_a_lost_channel():
    def wait():
        c = channel()
        c.receive()

    events = abandoned(wait)
    collect()
    assert events[1:] == ["killed", "finally"]
    assert events[0]() is None


def test_a_sender_blocked_on_a_lost_channel():
    def wait():
        c = channel()
        c.send(c)

    events = abandoned(wait)
    collect()
    assert events[1:] == ["killed", "finally"] and events[0]() is None


def test_two_that_wait_for_each_other():
    c, d = channel(), channel()
    log = []

    def function(first, second):
        try:
            second.send(first.receive())
        finally:
            log.append(1)

    tasklet(function)(c, d)
    tasklet(function)(d, c)
    run()
    del c, d
    collect()
    assert log == [1, 1]


def test_a_paused_tasklet():
    events = abandoned(schedule_remove)
    collect()
    assert events[1:] == ["killed", "finally"] and events[0]() is None


def test_a_blocked_tasklet_whose_channel_is_known_is_kept():
    c = channel()
    events = abandoned(lambda: c.receive())
    collect()
    assert len(events) == 1 and events[0]() is not None
    c.send(None)
    assert events[1:] == ["finally"]


def test_one_that_waits_in_run_is_kept():
    log = []

    def runner():
        run()
        log.append("run() returned")

    tasklet(runner)()
    tasklet(collect)()
    run()
    assert log == ["run() returned"]


def test_a_greenlet_that_an_ended_tasklet_left_behind_unwinds():
    log, kept = [], []

    def within():
        try:
            schedule_remove()
        except BaseException as exception:
            log.append((type(exception).__name__, getcurrent() is getmain()))
            raise

    def function():
        outer = greenlet.getcurrent()
        kept.append(greenlet.greenlet(within))
        kept.append(outer)
        kept[0].switch()

    t = tasklet(function)()
    run()
    with pytest.raises(ZeroDivisionError):
        kept[1].throw(ZeroDivisionError)
    assert not t.alive
    kept.clear()
    collect()
    assert log and log[0][1]
    assert stackless.getruncount() == 1 and getcurrent() is getmain()


def test_a_thread_ends_with_garbage_found_in_the_middle_of_a_switch():
    assert (
        output_of("""
        import gc, threading
        import greenlet.stackless as stackless

        def target():
            def blocked():
                stackless.channel().receive()

            stackless.tasklet(blocked)()
            stackless.run()
            stackless.tasklet(len)(())
            stackless.set_schedule_callback(lambda *args: gc.collect())
            stackless.run()
            stackless.set_schedule_callback(None)

        gc.disable()
        for _ in range(20):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
        print("all ended")
    """)
        == "all ended\n"
    )


def test_a_scheduled_tasklet_is_kept():
    log = []
    tasklet(lambda: (schedule(), log.append(1)))()
    schedule()
    collect()
    run()
    assert log == [1]


def test_one_that_has_not_begun_is_just_freed():
    marker = Marker()
    t = tasklet(print, (marker,))
    reference = weakref.ref(t), weakref.ref(marker)
    del t, marker
    assert reference[0]() is None and reference[1]() is None


def test_an_ended_tasklet_is_freed_at_once():
    t = tasklet(schedule)()
    run()
    reference = weakref.ref(t)
    del t
    assert reference() is None


def test_garbage_of_another_thread_is_killed_there():
    log = []
    made, checked = threading.Event(), threading.Event()

    def other():
        def function():
            try:
                c = channel()
                c.receive()
            finally:
                log.append(threading.get_ident())

        tasklet(function)()
        run()
        made.set()
        checked.wait(60)
        run()
        log.append(threading.get_ident())

    gc.disable()  # otherwise the thread itself might collect it
    try:
        thread = threading.Thread(target=other)
        thread.start()
        made.wait(60)
        collect()
        assert log == []
        checked.set()
        thread.join(60)
    finally:
        gc.enable()
    assert len(log) == 2 and log[0] == log[1]


def test_collection_while_a_tasklet_runs():
    log = []

    def wait():
        c = channel()
        c.receive()

    def collector():
        collect()
        log.append(events[1:])
        schedule()

    events = abandoned(wait)
    tasklet(collector)()
    run()
    assert log == [["killed", "finally"]]


def test_collection_while_switches_are_trapped():
    def wait():
        c = channel()
        c.receive()

    events = abandoned(wait)
    stackless.switch_trap(1)
    collect()
    assert stackless.switch_trap(-1) == 1
    assert events[1:] == ["killed", "finally"]


def test_collection_keeps_an_exception_in_flight():
    def wait():
        c = channel()
        c.receive()

    class Collects:
        def __del__(self):
            collect()

    events = abandoned(wait)
    with pytest.raises(KeyError):
        thing = Collects()
        try:
            raise KeyError
        finally:
            del thing
    assert events[1:] == ["killed", "finally"]


def test_an_error_in_a_killed_tasklet_reaches_main_or_is_reported():
    done = output_of("""
        import gc, sys
        import greenlet.stackless as stackless

        sys.unraisablehook = lambda info: print("unraisable", info.exc_type.__name__)
        def function():
            try:
                stackless.schedule_remove()
            finally:
                1 / 0
        stackless.tasklet(function)()
        stackless.run()
        gc.collect()
        print("end")
    """)
    assert done == "unraisable ZeroDivisionError\nend\n"


def test_nothing_leaks():
    def cycle():
        c = channel()

        def producer():
            for i in range(3):
                c.send(i)
            c.send_exception(StopIteration)

        def consumer():
            for _ in c:
                schedule()

        tasklet(producer)()
        tasklet(consumer)()
        run()
        t = tasklet(schedule_remove)()
        run()
        t.kill()
        tasklet(schedule_remove)()
        run()
        try:
            c.receive()
        except RuntimeError:
            pass
        t = tasklet(lambda: 1 / 0)()
        try:
            run()
        except ZeroDivisionError:
            pass
        collect()

    def in_use():
        collect()
        return len(gc.get_objects()), sys.getallocatedblocks()

    for _ in range(5):
        cycle()
    before = in_use()
    for _ in range(50):
        cycle()
    after = in_use()
    assert after[0] - before[0] < 20
    assert after[1] - before[1] < 100


def test_threads_leak_nothing():
    def in_the_thread():
        def function():
            c = channel()
            c.receive()

        for _ in range(5):
            tasklet(function)()
        run()
        tasklet(function)()

    def alive():
        collect()
        return sum(isinstance(o, (tasklet, channel)) for o in gc.get_objects())

    in_thread(in_the_thread)
    before = alive()
    for _ in range(20):
        in_thread(in_the_thread)
    assert alive() <= before + 1


def test_random_programs_with_destructors_and_callbacks_that_use_the_scheduler():
    # tests/stress/tasklets.py SEED COUNT runs more of them.
    assert output_of_stress("tasklets.py", 0, 300) == "300 programs survived\n"
