"""greenlet.stackless: run(), schedule(), the watchdog, callbacks and traps."""

import copy
import pickle
import signal
import sys
import textwrap
import time

import greenlet
import greenlet.stackless as stackless
import pytest
from greenlet.stackless import TaskletExit, channel, getcurrent, getmain, run, schedule, schedule_remove, tasklet
from support.processes import output_of
from support.scheduler import WITH_A_SCHEDULER
from support.threads import in_thread

pytestmark = WITH_A_SCHEDULER


def spin():
    while True:
        pass


# --- the module ------------------------------------------------------------------------------------------------------


def test_attributes_of_the_module():
    assert stackless.current is getcurrent()
    assert stackless.main is getmain()
    assert stackless.main is stackless.current
    assert stackless.runcount == 1
    t = tasklet(print)()
    assert stackless.runcount == stackless.getruncount() == 2
    t.kill()
    with pytest.raises(AttributeError):
        stackless.current = None


def test_all_names_exist_and_are_documented():
    for name in stackless.__all__:
        assert getattr(stackless, name).__doc__
    for cls in (stackless.tasklet, stackless.channel):
        for name, member in vars(cls).items():
            if not name.startswith("__"):
                assert member.__doc__, name


def test_import_of_all_names_brings_what_it_does_in_stackless():
    names = {}
    exec("from greenlet.stackless import *", names)
    assert names["stackless"] is stackless
    assert names["stackless"].current is names["getcurrent"]() is getcurrent()
    # What the `stackless` of Stackless Python 3.8 names, and what its documentation describes besides.
    theirs = """atomic channel enable_softswitch get_channel_callback get_schedule_callback get_thread_info getcurrent
        getcurrentid getdebug getmain getruncount getthreads getuncollectables pickle_with_tracing_state run schedule
        schedule_remove set_channel_callback set_error_handler set_schedule_callback stackless switch_trap tasklet
        TaskletExit pickle_flags pickle_flags_default PICKLEFLAGS_PRESERVE_TRACING_STATE""".split()
    assert set(theirs) <= set(names)


def test_the_module_can_be_copied_and_pickled():
    assert copy.copy(stackless) is copy.deepcopy(stackless) is pickle.loads(pickle.dumps(stackless)) is stackless


def test_functions_about_what_there_is():
    assert stackless.getcurrentid() == id(getcurrent())
    assert stackless.getthreads() == stackless.threads
    assert stackless.getdebug() is stackless.debug is False
    assert stackless.getuncollectables() == stackless.uncollectables == []


def test_soft_switching_is_refused():
    assert stackless.enable_softswitch(None) is False
    assert stackless.enable_softswitch(False) is False
    with pytest.raises(NotImplementedError, match="C stack"):
        stackless.enable_softswitch(True)


def test_pickle_flags():
    assert stackless.pickle_flags() == 0
    assert stackless.pickle_flags(stackless.PICKLEFLAGS_PRESERVE_TRACING_STATE) == 0
    assert stackless.pickle_flags(2, 2) == 1
    assert stackless.pickle_flags(0) == 3
    assert stackless.pickle_flags_default(4) == 0
    assert in_thread(stackless.pickle_flags) == 4
    assert stackless.pickle_flags_default(0) == 4
    with pytest.raises(ValueError):
        stackless.pickle_flags(8)
    with pytest.raises(ValueError):
        stackless.pickle_flags_default(8)
    assert stackless.pickle_with_tracing_state is False
    stackless.pickle_with_tracing_state = True
    assert stackless.pickle_flags() == 1
    stackless.pickle_with_tracing_state = False
    assert stackless.pickle_flags() == 0


# --- schedule --------------------------------------------------------------------------------------------------------


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


# --- run -------------------------------------------------------------------------------------------------------------


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
    assert run(200_000) is None
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
    assert run(200_000) is None
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


# --- the watchdog ----------------------------------------------------------------------------------------------------


def test_a_tasklet_that_does_not_yield_is_interrupted():
    log = []

    def busy():
        n = 0
        while True:
            n += 1
            log[:] = [n]

    t = tasklet(busy)()
    assert run(100_000) is t
    assert t.paused and t.alive
    first = log[0]
    t.insert()
    assert run(100_000) is t
    assert log[0] > first > 0
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
            assert getcurrent().atomic
            end = time.monotonic() + 0.02
            while time.monotonic() < end:
                pass
            log.append("whole")
        spin()

    t = tasklet(function)()
    assert run(100_000) is t
    assert log == ["whole"]
    t.kill()

    def function():
        old = getcurrent().set_atomic(True)
        end = time.monotonic() + 0.02
        while time.monotonic() < end:
            pass
        log.append("again")
        getcurrent().set_atomic(old)
        log.append("not reached")

    t = tasklet(function)()
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
            spin()
        except TaskletExit:
            log.append("killed")
            raise

    t = tasklet(function)()
    assert run(10_000) is t
    t.kill()
    assert log == ["killed"] and not t.alive


def test_the_pump():
    done = []

    def work(n):
        total = 0
        for i in range(200_000):
            total += i
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


# --- callbacks -------------------------------------------------------------------------------------------------------


def test_channel_callback():
    seen = []

    def callback(*args):
        seen.append(args)

    c = channel()
    assert stackless.get_channel_callback() is None
    assert stackless.set_channel_callback(callback) is None
    assert stackless.get_channel_callback() is callback
    t = tasklet(c.receive)()
    run()
    c.send(1)
    assert stackless.set_channel_callback(None) is callback
    assert seen == [(c, t, False, True), (c, getmain(), True, False)]


def test_an_error_of_the_channel_callback_is_raised_by_the_action():
    c = channel()
    stackless.set_channel_callback(lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        c.send(1)
    stackless.set_channel_callback(None)
    assert c.balance == 0


def test_the_channel_callback_can_not_use_channels():
    c = channel()
    errors = []

    def callback(c, *args):
        for action in (c.receive, lambda: c.send(1)):
            with pytest.raises(RuntimeError) as caught:
                action()
            errors.append(str(caught.value))

    t = tasklet(c.send)(1)
    stackless.set_channel_callback(callback)
    assert c.receive() == 1
    stackless.set_channel_callback(None)
    run()
    assert not t.alive
    assert errors == ["callbacks can't use channels"] * 4


def test_the_channel_callback_sees_what_is_sent_as_tempval():
    seen = []
    c = channel()
    t = tasklet(c.receive)()
    stackless.set_channel_callback(lambda c, t, sending, willblock: seen.append((sending, willblock, t.tempval)))
    run()
    c.send("value")
    stackless.set_channel_callback(None)
    assert seen == [(False, True, None), (True, False, "value")]
    assert getcurrent().tempval is None and not t.alive


def test_what_the_channel_callback_sees_is_taken_from_the_tasklet_that_it_was_shown_by():
    # Not from one that a greenlet, to which the callback switched, had go on meanwhile: that lost its own tempval.
    assert output_of("""
        import greenlet
        from greenlet import stackless

        greenlets = [greenlet.getcurrent()]

        def other():
            greenlets.append(greenlet.getcurrent())
            stackless.schedule_remove()
            other_tasklet.tempval = "kept"
            greenlets[0].switch()

        other_tasklet = stackless.tasklet(other)()
        channel = stackless.channel()
        channel.preference = 0          # who sends goes on
        receiver = stackless.tasklet(channel.receive)()
        stackless.run()
        stackless.set_channel_callback(lambda *arguments: greenlets[1].switch())
        channel.send("sent")
        print(stackless.getmain().tempval, other_tasklet.tempval)
    """) == "None kept\n"


def test_schedule_callback():
    seen = []

    def callback(previous, following):
        seen.append((previous, following))

    assert stackless.get_schedule_callback() is None
    t = tasklet(schedule)()
    other = tasklet(schedule)()
    stackless.set_schedule_callback(callback)
    assert stackless.get_schedule_callback() is callback
    run()
    assert stackless.set_schedule_callback(None) is callback
    main = getmain()
    assert seen == [(main, t), (t, other), (other, t), (t, other), (other, main)]


def test_the_schedule_callback_can_not_switch():
    errors = []

    def callback(previous, following):
        try:
            schedule()
        except RuntimeError as exception:
            errors.append(str(exception))

    tasklet(len)(())
    tasklet(len)(())
    stackless.set_schedule_callback(callback)
    run()
    stackless.set_schedule_callback(None)
    assert errors and all("in progress" in error for error in errors[:-1])


def test_an_error_of_the_schedule_callback_is_reported_and_changes_nothing(monkeypatch):
    log, reported = [], []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: reported.append((args.exc_type, args.object)))

    def fails(previous, following):
        raise ZeroDivisionError

    t = tasklet(log.append)(1)
    stackless.set_schedule_callback(fails)
    try:
        run()
    finally:
        stackless.set_schedule_callback(None)
    assert log == [1] and not t.alive
    assert reported == [(ZeroDivisionError, fails)] * 2


def test_error_handler():
    seen = []

    def fails():
        raise ValueError("x")

    def handler(*args):
        seen.append(args)
        if len(seen) == 2:
            raise KeyError

    assert stackless.set_error_handler(handler) is None
    tasklet(fails)()
    run()
    (kind, value, traceback), = seen
    assert kind is ValueError and value.args == ("x",) and traceback.tb_frame.f_code is fails.__code__
    tasklet(fails)()
    with pytest.raises(KeyError):
        run()
    tasklet(schedule_remove)()
    run()
    assert stackless.set_error_handler(None) is handler
    assert len(seen) == 2


def test_callbacks_must_be_callable():
    for function in (stackless.set_channel_callback, stackless.set_schedule_callback, stackless.set_error_handler):
        with pytest.raises(TypeError):
            function(3)


# --- the trap --------------------------------------------------------------------------------------------------------


def test_switch_trap():
    c = channel()
    waiting = tasklet(c.receive)()
    run()
    t = tasklet(schedule)()
    assert stackless.switch_trap(1) == 0
    try:
        for action in (schedule, schedule_remove, run, t.run, t.switch, lambda: c.send(1), channel().receive,
                       lambda: waiting.throw(ValueError), waiting.kill):
            with pytest.raises(RuntimeError, match="switch_trap"):
                action()
        assert c.balance == -1
        assert stackless.switch_trap() == 1
    finally:
        assert stackless.switch_trap(-1) == 1
    run()
    waiting.kill()


# --- greenlets -------------------------------------------------------------------------------------------------------


def test_greenlets_within_tasklets():
    log = []

    def child(parent):
        for i in range(3):
            schedule()
            parent.switch(i)

    def function(name):
        g = greenlet.greenlet(child)
        parent = greenlet.getcurrent()
        for i in range(3):
            log.append((name, g.switch(parent)))

    tasklet(function)("a")
    tasklet(function)("b")
    run()
    assert sorted(log) == [(name, i) for name in "ab" for i in range(3)]
    assert log[:2] == [("a", 0), ("b", 0)]


def test_tasklets_in_a_greenlet_that_is_not_the_main_one():
    log = []

    def function():
        tasklet(log.append)(1)
        run()
        log.append(2)

    greenlet.greenlet(function).switch()
    assert log == [1, 2]


def test_a_greenlet_may_throw_into_that_of_a_tasklet():
    log = []

    def function():
        log.append(greenlet.getcurrent())
        try:
            schedule_remove()
        except ValueError:
            log.append("thrown")
            raise TaskletExit

    t = tasklet(function)()
    run()
    log[0].throw(ValueError)
    assert log[1:] == ["thrown"] and not t.alive


def test_a_tracer_of_greenlets_sees_the_switches():
    events = []
    greenlet.settrace(lambda event, args: events.append(event))
    tasklet(schedule)()
    run()
    greenlet.settrace(None)
    assert events == ["switch", "switch"]


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


def test_a_timeout_does_not_outlive_the_handlers_of_signals():
    # run() is suspended when the process ends, and its alarm went off after CPython had taken the handler away.
    assert output_of("""
        import os
        import sys
        import time
        import types
        import greenlet
        import greenlet.stackless as stackless

        class EndsLate:
            def __del__(self, sleep=time.sleep, write=os.write):
                sleep(0.05)
                write(1, b"late")

        main = greenlet.getcurrent()
        stackless.tasklet(main.switch)()
        runs = greenlet.greenlet(lambda: stackless.run(1_000_000))
        runs.switch()
        sys.modules["late"] = types.ModuleType("late")
        sys.modules["late"].object = EndsLate()
    """) == "late"


def test_the_preparation_of_a_timeout_may_run_other_tasklets():
    # One of them ended the run() that was being prepared; its alarm was set nevertheless, and looked at when it was gone: crash.
    assert output_of("""
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
    """) == "True\n"


def test_what_is_killed_when_a_tasklet_is_interrupted_may_end_the_run():
    # Then there was no timeout any more, at which the handler of the alarm looked: crash. The alarm goes off every 5 ms. The
    # tasklet is atomic, so that one which goes off while the killed greenlet runs does not interrupt that.
    assert output_of("""
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
            thread.join()               # now the greenlet is to be killed, which is noticed when the alarm goes off
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
    """) == "['returned', 'goes on'] False\n"


def test_a_timeout_shorter_than_what_an_alarm_takes_lets_callbacks_go_on():
    # CPython 3.11 handles signals before it calls a trace function, and looks whether there are more: for ever.
    assert output_of("""
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
    """, timeout=30) == "-1\n"


INTERRUPTED_SWITCHES = """
    import greenlet
    from greenlet import stackless
    from greenlet.stackless import channel, run, schedule, schedule_remove, tasklet

    log = []
    greenlets = {"main": greenlet.getcurrent()}

    def attempt(function):
        try:
            log.append(function())
        except RuntimeError as error:
            log.append(str(error))
"""


def test_a_greenlet_that_an_ended_tasklet_left_goes_on_in_the_middle_of_a_switch():
    # What it did then was done by a tasklet that had ended, too: crash.
    assert output_of(textwrap.dedent(INTERRUPTED_SWITCHES) + textwrap.dedent("""
        def waits():
            greenlets["waits"] = greenlet.getcurrent()
            schedule_remove()
            attempt(schedule_remove)
            greenlets["callback"].switch()

        def ends():
            greenlets["ends"] = greenlet.getcurrent()
            greenlet.greenlet(waits).switch()

        def call_back(previous, next):
            if previous is second:
                greenlets["callback"] = greenlet.getcurrent()
                greenlets["waits"].switch()

        first = tasklet(ends)()
        schedule()
        greenlets["ends"].switch()
        second = tasklet(log.append)("second")
        stackless.set_schedule_callback(call_back)
        run()
        print(first.alive, log)
    """)) == "False ['second', 'no switch is possible here: another one is in progress']\n"


@pytest.mark.parametrize("switch, result", [("schedule", "None"), ("channel().receive", "'greenlets switched in the middle of this switch'")])
def test_a_switch_is_given_up_if_greenlets_switch_in_the_middle_of_it(switch, result):
    # The tasklet that had gone on out of turn was the current one and yet runnable, and the other one was the current one as well.
    assert output_of(textwrap.dedent(INTERRUPTED_SWITCHES) + textwrap.dedent(f"""
        def waits():
            greenlets["waits"] = greenlet.getcurrent()
            schedule_remove()
            greenlets["main"].switch()
            log.append("waits")

        def call_back(previous, next):
            stackless.set_schedule_callback(None)
            greenlets["waits"].switch()

        waiting = tasklet(waits)()
        schedule()
        other = tasklet(log.append)("other")
        stackless.set_schedule_callback(call_back)
        attempt({switch})
        run()
        print(log, waiting.alive, other.alive)
    """)) == f"[{result}, 'waits', 'other'] False False\n"


def test_the_end_of_a_channel_callback_does_not_end_the_switch_of_another_tasklet():
    # It went on as the current tasklet, which was about to wait, and waited once more: crash.
    assert output_of(textwrap.dedent(INTERRUPTED_SWITCHES) + textwrap.dedent("""
        def waits():
            greenlets["waits"] = greenlet.getcurrent()
            schedule_remove()
            schedule_remove()
            log.append("waits")

        def call_back(previous, next):
            greenlets["callback"] = greenlet.getcurrent()
            greenlets["main"].switch()

        waiting = tasklet(waits)()
        schedule()
        stackless.set_channel_callback(lambda *arguments: greenlets["waits"].switch())
        stackless.set_schedule_callback(call_back)
        attempt(channel().receive)
        stackless.set_channel_callback(None)
        stackless.set_schedule_callback(None)
        greenlets["callback"].switch()
        waiting.run()
        print(log, waiting.alive)
    """)) == "['no switch is possible here: another one is in progress', 'waits'] False\n"


def test_a_tasklet_ends_while_a_greenlet_of_its_is_in_run():
    # When that timeout was over the tasklet, which was bound to nothing any more, was to go on: crash.
    assert output_of("""
        import greenlet
        from greenlet.stackless import run, schedule, tasklet

        greenlets = []

        def ends():
            greenlets.append(greenlet.getcurrent())
            greenlets.append(greenlet.greenlet(lambda: run(10**6)))
            greenlets[1].switch()

        def busy():
            while True:
                pass

        ended = tasklet(ends)()
        schedule()
        greenlets[0].switch()
        interrupted = tasklet(busy)()
        print(ended.alive, run(10**6) is interrupted)
        greenlets[1].switch()
        print(greenlets[1].dead)
    """) == "False True\nTrue\n"


def test_no_memory_for_a_stack():
    assert output_of("""
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
    """) == "MemoryError 2\n[1] 1\n"
