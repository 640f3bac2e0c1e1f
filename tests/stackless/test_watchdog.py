"""greenlet.stackless: run() with a timeout interrupts tasklets."""

import signal
import time

import pytest
from support.processes import output_of
from support.scheduler import WITH_A_SCHEDULER, let_begin
from support.threads import in_thread

import greenlet.stackless as stackless
from greenlet.stackless import TaskletExit, getcurrent, run, schedule, schedule_remove, tasklet

pytestmark = WITH_A_SCHEDULER


def spin():
    while True:
        pass


def test_a_tasklet_that_does_not_yield_is_interrupted():
    log = []

    def busy():
        n = 0
        while True:
            n += 1
            log[:] = [n]
            if n == 1:
                schedule_remove()

    t = let_begin(tasklet(busy)())
    assert run(100_000) is t
    assert t.paused and t.alive
    first = log[0]
    while log[0] == first:
        t.insert()
        assert run(100_000) is t
    assert t.frame.f_code.co_name == "busy"
    t.kill()


def test_it_can_be_interrupted_in_calls_through_c():
    def key(x):
        spin()

    t = tasklet(sorted)([1, 2], key=key)
    assert run(100_000) is t
    t.kill()


def test_tasklets_that_yield_are_left_alone():
    done = []

    def polite():
        for _ in range(100):
            schedule()
        done.append(1)

    for _ in range(3):
        tasklet(polite)()
    assert run(50_000_000) is None
    assert len(done) == 3


def test_totaltimeout_counts_all_tasklets_together():
    def polite():
        while True:
            schedule()

    tasklets = [tasklet(polite)() for _ in range(3)]
    begin = time.monotonic()
    t = run(500_000, totaltimeout=True)
    assert t in tasklets and t.paused
    assert time.monotonic() - begin >= 0.009
    for t in tasklets:
        t.kill()


def test_soft_returns_at_the_next_switch():
    log = []

    def busy():
        end = time.monotonic() + 0.02
        while time.monotonic() < end:
            pass
        log.append("yields")
        schedule()
        log.append("not reached")

    t = tasklet(busy)()
    other = tasklet(schedule)()
    assert run(100_000, soft=True) is None
    assert log == ["yields"]
    assert t.scheduled
    t.kill()
    other.kill()


def test_an_atomic_tasklet_is_interrupted_later():
    log = []

    def function():
        with stackless.atomic():
            schedule_remove()
            assert getcurrent().atomic
            end = time.monotonic() + 0.02
            while time.monotonic() < end:
                pass
            log.append("whole")
        spin()

    t = let_begin(tasklet(function)())
    assert run(100_000) is t
    assert log == ["whole"]
    t.kill()

    def function():
        old = getcurrent().set_atomic(True)
        schedule_remove()
        end = time.monotonic() + 0.02
        while time.monotonic() < end:
            pass
        log.append("again")
        getcurrent().set_atomic(old)
        log.append("not reached")

    t = let_begin(tasklet(function)())
    assert run(100_000) is t
    assert log == ["whole", "again"]
    t.kill()


def test_a_trap_keeps_the_watchdog_away():
    def function():
        stackless.switch_trap(1)
        end = time.monotonic() + 0.02
        while time.monotonic() < end:
            pass
        stackless.switch_trap(-1)
        spin()

    t = tasklet(function)()
    assert run(100_000) is t
    t.kill()


def test_an_inner_timeout_has_no_effect():
    log = []

    def inner():
        end = time.monotonic() + 0.01
        while time.monotonic() < end:
            pass
        log.append("inner")

    def outer():
        tasklet(inner)()
        log.append(run(1))

    tasklet(outer)()
    assert run(100_000_000) is None
    assert log == ["inner", None]


def test_an_interrupted_tasklet_may_be_killed_where_it_is():
    log = []

    def function():
        try:
            schedule_remove()
            spin()
        except TaskletExit:
            log.append("killed")
            raise

    t = let_begin(tasklet(function)())
    assert run(10_000) is t
    t.kill()
    assert log == ["killed"] and not t.alive


def test_the_pump():
    done = []

    def work(n):
        end = time.monotonic() + 0.1  # Windows has timers of 16 ms
        while time.monotonic() < end:
            pass
        done.append(n)

    for n in range(3):
        tasklet(work)(n)
    interrupted = 0
    while (t := run(50_000)) is not None:
        interrupted += 1
        t.insert()
    assert sorted(done) == [0, 1, 2]
    assert interrupted > 3


def test_in_other_threads_a_timeout_is_noticed_at_switches():
    def in_the_thread():
        def polite():
            while True:
                schedule()

        t = tasklet(polite)()
        seen = run(500_000, totaltimeout=True)
        assert seen is t
        t.kill()
        return True

    assert in_thread(in_the_thread)


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="there is no such signal")
def test_handlers_of_signals_of_the_program_are_left_alone():
    seen = []
    before = signal.signal(signal.SIGALRM, lambda *args: seen.append(1))
    try:
        t = tasklet(spin)()
        run(100_000)
        t.kill()
        signal.raise_signal(signal.SIGALRM)
        assert seen == [1]
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_timeout_does_not_outlive_the_handlers_of_signals():
    # run() is suspended when the process ends. Its alarm went off after CPython had removed the handler.
    assert (
        output_of("""
        import os
        import sys
        import time
        import types
        import greenlet
        import greenlet.stackless as stackless

        class EndsLate:
            # On Windows sleep() waits for an event that CPython has closed by then.
            def __del__(self, now=time.monotonic, write=os.write):
                end = now() + 0.05
                while now() < end:
                    pass
                write(1, b"late")

        main = greenlet.getcurrent()
        stackless.tasklet(main.switch)()
        runs = greenlet.greenlet(lambda: stackless.run(1_000_000))
        runs.switch()
        sys.modules["late"] = types.ModuleType("late")
        sys.modules["late"].object = EndsLate()
    """)
        == "late"
    )


def test_the_preparation_of_a_timeout_may_run_other_tasklets():
    # This crashed: another tasklet ended the run() that was being prepared. Then its alarm read the freed run().
    assert (
        output_of("""
        import threading
        from greenlet.stackless import run, schedule, schedule_remove, tasklet

        main_thread = threading.main_thread

        def switching_main_thread():
            threading.main_thread = main_thread
            schedule_remove()
            return main_thread()

        def busy():
            while True:
                pass

        threading.main_thread = switching_main_thread
        outer = tasklet(run)()
        inner = tasklet(run)(10**9)
        schedule()
        outer.insert()
        schedule()
        while inner.alive:
            inner.insert()
            schedule()
        interrupted = tasklet(busy)()
        print(run(50_000) is interrupted)
    """)
        == "True\n"
    )


def test_what_is_killed_when_a_tasklet_is_interrupted_may_end_the_run():
    # This crashed: the handler of the alarm read the timeout of the ended run(). The alarm goes off every 5 ms. The
    # tasklet is atomic, so that an alarm during the end of the killed greenlet does not interrupt it.
    assert (
        output_of("""
        import threading
        import greenlet
        from greenlet.stackless import getmain, run, tasklet

        log = []
        main = greenlet.getcurrent()

        def waits():
            try:
                main.switch()
            finally:
                getmain().run()
                log.append("goes on")

        def busy():
            thread = threading.Thread(target=held.clear)
            thread.start()
            thread.join()               # the greenlet is queued to be killed; the handler of the alarm kills it
            while len(log) < 2:
                pass

        held = [greenlet.greenlet(waits)]
        held[0].switch()
        interrupted = tasklet(busy)()
        interrupted.set_atomic(True)
        run(50_000_000)
        log.append("returned")
        interrupted.run()
        print(log, interrupted.alive)
    """)
        == "['returned', 'goes on'] False\n"
    )


def test_a_timeout_shorter_than_what_an_alarm_takes_lets_callbacks_go_on():
    # Before CPython 3.11 calls a trace function it handles signals, until no more are pending: it never called it.
    assert (
        output_of(
            """
        import sys
        from greenlet.stackless import channel, run, set_channel_callback, tasklet

        def see(*arguments):
            return see

        def call_back(*arguments):
            for _ in range(10_000):
                pass

        c = channel()
        tasklet(c.receive)()
        set_channel_callback(call_back)
        sys.settrace(see)
        run(20)
        sys.settrace(None)
        print(c.balance)
    """,
            timeout=30,
        )
        == "-1\n"
    )
