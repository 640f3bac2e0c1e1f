"""greenlet.stackless: schedule(), run() and switch_trap()."""

import sys
import time

import pytest
from support.processes import output_of
from support.scheduler import WITH_A_SCHEDULER

import greenlet.stackless as stackless
from greenlet.stackless import channel, getcurrent, getmain, run, schedule, schedule_remove, tasklet

pytestmark = WITH_A_SCHEDULER


def spin():
    while True:
        pass


def test_schedule_returns_its_argument():
    assert schedule() is getcurrent()
    assert schedule(5) == 5
    seen = []
    tasklet(lambda: seen.append(schedule(6)))()
    tasklet(lambda: seen.append(schedule() is getcurrent()))()
    run()
    assert seen == [6, True]


def test_retval_may_be_given_by_name():
    tasklet(len)(())
    assert schedule(retval=5) == 5
    t = tasklet(lambda: stackless.schedule_remove(retval=None))()
    run()
    assert t.paused and t.tempval is None
    t.kill()
    for function in (schedule, schedule_remove):
        for arguments, keywords in (((1, 2), {}), ((1,), {"retval": 2}), ((), {"other": 1})):
            with pytest.raises(TypeError):
                function(*arguments, **keywords)


def test_schedule_lets_main_take_its_turn_too():
    log = []

    def function():
        log.append("tasklet")
        schedule()
        log.append("tasklet")

    tasklet(function)()
    schedule()
    log.append("main")
    schedule()
    assert log == ["tasklet", "main", "tasklet"]


def test_schedule_remove_pauses():
    t = tasklet(schedule_remove)(3)
    run()
    assert t.paused and t.tempval == 3
    t.insert()
    run()
    assert not t.alive


def test_schedule_remove_of_main_waits_for_an_insert():
    main = getcurrent()
    tasklet(lambda: main.insert())()
    assert schedule_remove(9) == 9


def test_run_returns_at_once_if_there_is_nothing_to_run():
    assert run() is None


def test_run_may_be_called_by_any_tasklet_and_nests():
    log = []

    def outer():
        tasklet(log.append)("inner")
        log.append("before")
        run()
        log.append("after")

    tasklet(outer)()
    run()
    assert log == ["before", "inner", "after"]


def test_the_innermost_run_gets_the_error():
    log = []

    def outer():
        tasklet(lambda: 1 / 0)()
        try:
            run()
        except ZeroDivisionError:
            log.append("caught")

    tasklet(outer)()
    run()
    assert log == ["caught"]


def test_a_run_that_returns_ends_those_called_after_it():
    log = []

    def wakes_main():
        getmain().run()
        log.append("woke main")

    def runner():
        tasklet(wakes_main)()
        run()
        log.append("inner run")

    tasklet(runner)()
    run()
    assert log == []
    run()
    assert log == ["inner run", "woke main"] or log == ["woke main", "inner run"]


def test_a_run_with_a_timeout_ends_those_called_after_it():
    log = []

    def inner():
        run()
        log.append("inner run")

    tasklet(inner)()
    t = tasklet(spin)()
    assert run(200_000) is t
    assert log == [] and not t.scheduled
    assert run(10**9) is None
    assert log == ["inner run"]
    t.kill()


def test_the_innermost_of_the_ended_ones_may_have_the_timeout():
    log = []

    def inner():
        run(10**9)
        log.append("inner run")

    def wakes_main():
        getmain().run()
        spin()

    tasklet(inner)()
    t = tasklet(wakes_main)()
    run()  # returns with inner's watchdog set
    begin = time.monotonic()
    assert run(200_000) is t
    assert time.monotonic() - begin < 5
    assert run(10**9) is None
    assert log == ["inner run"]
    t.kill()


def test_main_may_be_waked_out_of_run():
    main = getcurrent()
    t = tasklet(lambda: (main.insert(), schedule(), schedule()))()
    run()
    assert t.scheduled
    run()


def test_run_takes_its_parameters_by_name():
    with pytest.raises(TypeError):
        run(nonsense=1)
    with pytest.raises(ValueError):
        run(-1)
    assert run(timeout=1000, threadblock=False, soft=True, ignore_nesting=True, totaltimeout=False) is None


def test_switch_trap():
    c = channel()
    waiting = tasklet(c.receive)()
    run()
    t = tasklet(schedule)()
    assert stackless.switch_trap(1) == 0
    try:
        for action in (
            schedule,
            schedule_remove,
            run,
            t.run,
            t.switch,
            lambda: c.send(1),
            channel().receive,
            lambda: waiting.throw(ValueError),
            waiting.kill,
        ):
            with pytest.raises(RuntimeError, match="switch_trap"):
                action()
        assert c.balance == -1
        assert stackless.switch_trap() == 1
    finally:
        assert stackless.switch_trap(-1) == 1
    run()
    waiting.kill()


def test_many_tasklets():
    count = [0]

    def function():
        schedule()
        count[0] += 1

    for _ in range(5000):
        tasklet(function)()
    run()
    assert count == [5000]


def test_deep_recursion_in_a_tasklet():
    def recurse(n):
        return 0 if n == 0 else 1 + recurse(n - 1)

    seen = []
    tasklet(lambda: seen.append(recurse(500)))()
    run()
    assert seen == [500]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit to set")
def test_no_memory_for_a_stack():
    assert (
        output_of("""
        import resource
        import greenlet
        import greenlet.stackless as stackless

        log = []
        def function():
            log.append(1)
        greenlet.stack_size(1 << 34)
        stackless.tasklet(function)()
        with open("/proc/self/statm") as statm:
            used = int(statm.read().split()[0]) * 4096
        resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 32), resource.RLIM_INFINITY))
        try:
            stackless.run()
        except MemoryError:
            print("MemoryError", stackless.runcount)
        greenlet.stack_size(1 << 20)
        stackless.run()
        print(log, stackless.runcount)
    """)
        == "MemoryError 2\n[1] 1\n"
    )
