"""greenlet.stackless: tasklets that nobody can wake any more are collected."""

import contextlib
import gc
import sys
import textwrap
import threading
import time
import weakref

import greenlet
import greenlet.stackless as stackless
import pytest
from greenlet.stackless import TaskletExit, channel, getcurrent, getmain, run, schedule, schedule_remove, tasklet
from support.environment import IS_FREE_THREADED
from support.greenlets import collect
from support.processes import output_of, output_of_stress
from support.scheduler import WITH_A_SCHEDULER
from support.threads import in_thread

pytestmark = WITH_A_SCHEDULER


class Marker:
    pass


def abandoned(wait):
    """Events of a tasklet that waits for what will never happen; a weak reference to something it has."""
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
    assert output_of("""
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
    """) == "all ended\n"


def busy():
    while True:
        pass


def gives_up_its_turn():
    while True:
        schedule(None)  # or else the tasklet itself may lie on its stack when it is interrupted


# What the tasklet does, and how it gets there.
WAYS_TO_PAUSE = {
    "schedule_remove": (schedule_remove, lambda t: run()),
    "schedule_remove, without a value": (lambda: schedule_remove(None), lambda t: run()),
    "schedule_remove, for tasklet.run()": (schedule_remove, lambda t: t.run()),
    "switch": (lambda: getmain().switch(), lambda t: t.switch()),
    "remove": (stackless.schedule, lambda t: (t.run(), t.remove(), None)[-1]),
    "timeout": (busy, lambda t: (run(100_000), None)[-1]),
    "soft timeout": (gives_up_its_turn, lambda t: (run(100_000, soft=True), t.remove(), None)[-1]),
    "timeout for all": (gives_up_its_turn, lambda t: (run(100_000, totaltimeout=True), None)[-1]),
    "after a resumption": (lambda: catches(schedule_remove, schedule_remove), lambda t: (t.run(), t.insert(), run(), None)[-1]),
    "after an exception": (lambda: catches(schedule_remove, schedule_remove), lambda t: (t.run(), t.throw(KeyError), None)[-1]),
    "with a value": (schedule_remove, lambda t: (run(), setattr(t, "tempval", [1]), None)[-1]),
    "with itself for a value": (schedule_remove, lambda t: (run(), setattr(t, "tempval", t), setattr(t, "tempval", None), None)[-1]),
}


def catches(first, second):
    with contextlib.suppress(KeyError):
        first()
    second()


@pytest.fixture
def without_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def body_of(log, function):
    def body():
        try:
            function()
        except TaskletExit:
            log.append("killed")
            raise
        finally:
            log.append(getcurrent().is_main)

    return body


@pytest.mark.parametrize("way", WAYS_TO_PAUSE)
def test_the_last_reference_to_a_paused_tasklet_ends_it_at_once(way, without_collector):
    log = []
    function, pause = WAYS_TO_PAUSE[way]
    t = tasklet(body_of(log, function))()
    pause(t)
    assert t.paused and log == []
    reference = weakref.ref(t)
    del t
    assert log == ["killed", False] and reference() is None


def test_one_that_pauses_and_that_nobody_knows_ends_when_the_next_one_goes_on(without_collector):
    log = []
    tasklet(body_of(log, schedule_remove))()
    run()
    assert log == ["killed", False]
    tasklet(body_of(log, schedule_remove))()
    tasklet(log.append)("next")
    run()
    assert log == ["killed", False, "killed", False, "next"]


def test_a_paused_tasklet_that_goes_on_again_is_kept(without_collector):
    log = []
    for go_on in (lambda t: t.insert(), lambda t: t.throw(KeyError, pending=True)):
        t = tasklet(catches)(schedule_remove, lambda: log.append("went on"))
        run()
        go_on(t)
        del t
        run()
        log.append(stackless.runcount)
    assert log == ["went on", 1, "went on", 1]


def test_its_value_is_what_it_was(without_collector):
    t = tasklet(lambda: values.append(schedule_remove()))()
    values = []
    run()
    assert t.tempval is t
    t.insert()
    assert t.tempval is t
    run()
    assert values == [t]
    values.clear()
    t.bind(lambda: values.append(schedule_remove()), ()).insert()
    run()
    t.remove()
    del t.tempval
    assert t.tempval is None
    t.insert()
    run()
    assert values == [None]


def test_one_that_does_not_let_itself_be_killed_lives_on(without_collector):
    tries = []

    def refuses():
        while len(tries) < 25:
            with contextlib.suppress(TaskletExit):
                schedule_remove()
            tries.append(1)

    t = tasklet(refuses)()
    run()
    del t
    assert len(tries) == 10
    gc.collect()
    assert len(tries) >= 20
    for t in [t for t in gc.get_objects() if isinstance(t, tasklet) and t.paused]:
        while t.alive:
            t.kill()
    assert len(tries) == 25


class WithDestructor(tasklet):
    ended = 0

    def __del__(self):
        WithDestructor.ended += 1
        super().__del__()


class Plain(tasklet):
    pass


def test_a_subclass_may_have_a_destructor(without_collector):
    for cls, at_once in ((Plain, True), (WithDestructor, False)):
        log = []
        t = cls(body_of(log, schedule_remove))()
        run()
        del t
        assert bool(log) is at_once
        gc.collect()
        assert log == ["killed", False]
    assert WithDestructor.ended > 0


def test_a_long_chain_of_paused_tasklets_ends_at_once(without_collector):
    log = []

    def holds(inner):
        try:
            schedule_remove()
        finally:
            log.append(1)

    t = None
    for _ in range(3000):
        t = tasklet(holds)(t)
        run()
    del t
    assert len(log) == 3000


def test_the_last_reference_may_go_in_another_thread_or_after_its_own(without_collector):
    log = []
    t = [tasklet(body_of(log, schedule_remove))()]
    run()
    in_thread(t.clear)
    run()
    stackless.schedule()
    assert log == ["killed", False]
    log.clear()

    def in_the_thread():
        t = tasklet(lambda: refuses(log))()
        run()
        return t

    def refuses(log):
        try:
            while True:
                with contextlib.suppress(TaskletExit):
                    schedule_remove()
        finally:
            log.append("unwound")

    t = in_thread(in_the_thread)
    deadline = time.monotonic() + 10
    while t.thread_id != -1 and time.monotonic() < deadline:
        time.sleep(0.001)
    reference = weakref.ref(t)
    del t
    assert reference() is None and log == []


def test_the_last_reference_may_go_when_no_switch_is_possible(without_collector):
    log = []
    kept = [tasklet(body_of(log, schedule_remove))()]
    run()
    stackless.set_schedule_callback(lambda before, after: kept.clear())
    tasklet(int)()
    run()
    stackless.set_schedule_callback(None)
    stackless.schedule()
    run()
    assert log == ["killed", False]
    log.clear()
    t = tasklet(body_of(log, schedule_remove))()
    run()
    stackless.switch_trap(1)
    del t
    stackless.switch_trap(-1)
    assert log == ["killed", False]


def test_the_last_reference_may_go_with_an_exception_in_flight(without_collector):
    log = []

    def raises():
        t = tasklet(body_of(log, schedule_remove))()
        run()
        raise LookupError(len([t]))

    with pytest.raises(LookupError):
        try:
            raises()
        except LookupError as error:
            error.__traceback__ = None
            assert log == ["killed", False]
            raise


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


def test_one_that_switches_while_it_is_killed_is_killed_again():
    log = []

    def function():
        try:
            schedule_remove()
        finally:
            try:
                schedule()
            finally:
                log.append("finally")

    tasklet(function)()
    run()
    collect()
    assert log == ["finally"]


def test_one_that_refuses_to_end_is_asked_ten_times_at_least():
    tries = []

    def function():
        while True:
            try:
                schedule_remove()
            except TaskletExit:
                tries.append(1)
                if len(tries) > 30:
                    raise

    tasklet(function)()
    run()
    gc.collect()
    assert len(tries) >= 10
    collect()
    while len(tries) <= 30:
        for t in gc.get_objects():
            if isinstance(t, tasklet) and t.paused and not t.is_main:
                t.kill()


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

    gc.disable()  # or the thread itself might collect it
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
    # tests/stress/tasklets.py SEED COUNT does more of them.
    assert output_of_stress("tasklets.py", 0, 300) == "300 programs survived\n"


def test_a_function_may_insert_the_tasklet_that_lets_go_of_it():
    # It ran without a function: crash.
    assert output_of(
        """
        from greenlet import stackless

        class Function:
            def __call__(self, *arguments):
                pass

            def __del__(self):
                try:
                    t.insert()
                except RuntimeError as error:
                    print(error)

        t = stackless.tasklet(Function()).bind(None, (1,))
        t.bind(None)
        stackless.run()
        print(t.alive)
        """
    ) == "You cannot run an unbound(dead) tasklet\nFalse\n"


def test_a_schedule_callback_may_end_the_next_tasklet():
    # It was resumed nevertheless: crash.
    assert output_of(
        """
        from greenlet import stackless

        def kill_first(previous, following):
            if following is first:
                following.kill()

        first, second = (stackless.tasklet(print)(name) for name in ("first", "second"))
        stackless.set_schedule_callback(kill_first)
        stackless.run()
        stackless.set_schedule_callback(None)
        print(first.alive, second.alive)
        """
    ) == "second\nFalse False\n"


def test_what_a_tasklet_had_to_return_may_use_the_scheduler_when_the_tasklet_waits():
    # The current tasklet was in no ring then: crash.
    assert output_of(
        """
        import sys
        from greenlet import stackless

        class Value:
            def __del__(self):
                try:
                    stackless.schedule_remove()
                except RuntimeError as error:
                    print(error)

        channel = stackless.channel()
        stackless.tasklet(channel.send)(1)
        stackless.getcurrent().tempval = Value()
        print(channel.receive())
        """
    ) == "no switch is possible here: another one is in progress\n1\n"


def test_one_that_ends_can_be_bound_anew_only_when_its_arguments_are_gone():
    # It was, by a tasklet that ran when they used the scheduler; then its end unbound what it was to run next: crash.
    assert output_of("""
        from greenlet.stackless import run, schedule, tasklet

        log = []

        class Witness:
            def __del__(self):
                schedule()

        def other():
            ending.remove()
            try:
                ending.bind(log.append, ("bound anew",)).insert()
            except RuntimeError as error:
                log.append(str(error))
            ending.insert()

        ending = tasklet(lambda witness: None)(Witness())
        tasklet(other)()
        run()
        assert not ending.alive
        ending.bind(log.append)("again")
        run()
        print(*log, sep=", ")
    """) == "the tasklet has C state, its stack, so it can't be bound anew, again\n"


@pytest.mark.skipif(IS_FREE_THREADED, reason="the collector may find the greenlets in another order there")
def test_a_tasklet_ends_in_the_greenlet_that_the_next_one_waits_for():
    # That greenlet became its own parent: it never ended.
    assert output_of("""
        import gc
        import greenlet
        import greenlet.stackless as stackless

        def inner():
            try:
                stackless.schedule_remove()
            except stackless.TaskletExit:
                print("inner ends")

        def outer():
            try:
                greenlet.greenlet(inner).switch()
            finally:
                print("outer ends")
                stackless.schedule()    # kills inner, too: then the tasklet goes on here, where it was to return to the main one
                print("outer goes on")

        gc.disable()
        stackless.tasklet(outer)()
        stackless.run()
        stackless.tasklet(int)()
        stackless.set_schedule_callback(lambda *arguments: gc.collect())
        stackless.run()
        stackless.set_schedule_callback(None)
        stackless.run()
        print("main goes on,", stackless.getruncount())
    """) == "outer ends\ninner ends\nouter goes on\nmain goes on, 1\n"


def test_the_next_tasklet_is_chosen_when_the_one_that_was_ended_is_gone():
    # Its weak reference's callback ended the one that was chosen: memory that was freed was read, as AddressSanitizer and Valgrind say.
    log = []

    def end_the_first(previous, next):
        if not log:
            log.append("called")
            next.kill()

    first = tasklet(log.append)("first")
    second = weakref.ref(tasklet(log.append)("second"))
    tasklet(log.append)("third")
    kept = weakref.ref(first, lambda reference: second().kill())
    del first
    stackless.set_schedule_callback(end_the_first)
    try:
        run()
    finally:
        stackless.set_schedule_callback(None)
    assert log == ["called", "third"] and kept() is None


@pytest.mark.skipif(IS_FREE_THREADED, reason="what another thread lets go of is killed at another time there")
def test_what_is_killed_during_a_switch_may_move_the_next_tasklet_to_another_greenlet():
    # The finished one, which it was to be looked for in, was freed then, in the middle of a switch to it: crash.
    assert output_of("""
        import threading
        import greenlet
        from greenlet.stackless import schedule, schedule_remove, tasklet

        log = []
        main = greenlet.getcurrent()

        def waits():
            try:
                main.switch()
            finally:
                log.append("killed")
                schedule()
                log.append("goes on")

        class Value:
            def __del__(self):
                thread = threading.Thread(target=held.clear)
                thread.start()
                thread.join()

        def first():
            own.append(greenlet.getcurrent())
            schedule_remove()
            t.tempval = Value()
            schedule_remove()

        def second():
            finishes[0].throw(ValueError)

        held = [greenlet.greenlet(waits)]
        held[0].switch()
        own = []
        t = tasklet(first)()
        schedule()
        finishes = [greenlet.greenlet(schedule_remove)]
        tasklet(second)()
        try:
            finishes[0].switch()
        except ValueError:
            finishes.clear()
        own[0].switch()
        log.append("main")
        print(log)
    """) == "['killed', 'goes on', 'main']\n"


# The main greenlet runs as part of a tasklet then, whose own greenlet is home[0], and the main tasklet waits in another one.
IN_THE_MAIN_GREENLET = """
import greenlet
from greenlet.stackless import getcurrent, getmain, schedule, tasklet

def runs_in_the_main_greenlet():
    home.append(greenlet.getcurrent())
    main.switch()

home = []
main = greenlet.getcurrent()

def waits_in_another_greenlet():
    tasklet(runs_in_the_main_greenlet)().run()
    for function in then:
        function()

then = []
greenlet.greenlet(waits_in_another_greenlet).switch()
"""


def output_in_the_main_greenlet(source):
    return output_of(IN_THE_MAIN_GREENLET + textwrap.dedent(source), PYTHONMALLOC="debug")


def test_the_current_tasklet_may_be_ended_by_what_is_killed_when_it_schedules():
    # It was what schedule() returns, and gone: crash.
    assert output_in_the_main_greenlet("""
        home.clear()
        schedule()
        print(getcurrent() is getmain())
        print(schedule() is getmain(), getcurrent() is getmain())
    """) == "False\nTrue True\n"


def test_a_tasklet_may_end_while_it_waits_in_a_greenlet_that_is_not_its_own():
    # When that greenlet was resumed it looked at the tasklet, which was gone: crash.
    assert output_in_the_main_greenlet("""
        print(getcurrent() is getmain())
        then.append(lambda: home.pop().throw())
        schedule()
        print(getcurrent() is getmain())
    """) == "False\nTrue\n"


def test_a_tasklet_may_be_ended_by_what_it_lets_go_of_when_it_schedules():
    # It went on from it nevertheless: crash.
    assert output_in_the_main_greenlet("""
        class Value:
            def __del__(self):
                home.pop().throw()

        getcurrent().tempval = Value()
        print(schedule())
        print(getcurrent() is getmain())
    """) == "None\nTrue\n"
