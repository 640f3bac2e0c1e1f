"""greenlet.stackless: tasklets end in the middle of a switch, by destructors and callbacks."""

import textwrap
import weakref

import pytest
from support.environment import IS_FREE_THREADED
from support.processes import output_of
from support.scheduler import WITH_A_SCHEDULER

import greenlet.stackless as stackless
from greenlet.stackless import run, tasklet

pytestmark = WITH_A_SCHEDULER


def test_a_function_may_insert_the_tasklet_that_releases_it():
    # This crashed: the tasklet ran without a function.
    assert (
        output_of(
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
        )
        == "You cannot run an unbound(dead) tasklet\nFalse\n"
    )


def test_a_schedule_callback_may_end_the_next_tasklet():
    # This crashed: the tasklet was resumed after its end.
    assert (
        output_of(
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
        )
        == "second\nFalse False\n"
    )


def test_what_a_tasklet_had_to_return_may_use_the_scheduler_when_the_tasklet_waits():
    # This crashed: the current tasklet was in no ring meanwhile.
    assert (
        output_of(
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
        )
        == "no switch is possible here: another one is in progress\n1\n"
    )


def test_one_that_ends_can_be_bound_anew_only_when_its_arguments_are_gone():
    # This crashed: the arguments' destructor switched to a tasklet that bound the ending one, and then the end of that
    # dropped its new function.
    assert (
        output_of("""
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
    """)
        == "the tasklet has C state, its stack, so it can't be bound anew, again\n"
    )


@pytest.mark.skipif(IS_FREE_THREADED, reason="the collector may find the greenlets in another order there")
def test_a_tasklet_ends_in_the_greenlet_that_the_next_one_waits_for():
    # That greenlet became its own parent, and never ended.
    assert (
        output_of("""
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
                stackless.schedule()    # also kills inner; then the tasklet continues here, not in the main greenlet
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
    """)
        == "outer ends\ninner ends\nouter goes on\nmain goes on, 1\n"
    )


def test_the_next_tasklet_is_chosen_when_the_one_that_was_ended_is_gone():
    # The callback of its weak reference ended the tasklet that was chosen, whose freed memory was then read.
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


@pytest.mark.skipif(IS_FREE_THREADED, reason="what another thread releases is killed at another time there")
def test_what_is_killed_during_a_switch_may_move_the_next_tasklet_to_another_greenlet():
    # This crashed: the tasklet's previous greenlet, which had finished, was freed in the middle of a switch to it.
    assert (
        output_of("""
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
    """)
        == "['killed', 'goes on', 'main']\n"
    )


# The main greenlet runs as part of a tasklet whose own greenlet is home[0]. The main tasklet waits in another greenlet.
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
    # This crashed: schedule() returned the tasklet, which was freed.
    assert (
        output_in_the_main_greenlet("""
        home.clear()
        schedule()
        print(getcurrent() is getmain())
        print(schedule() is getmain(), getcurrent() is getmain())
    """)
        == "False\nTrue True\n"
    )


def test_a_tasklet_may_end_while_it_waits_in_a_greenlet_that_is_not_its_own():
    # This crashed: the greenlet, when it was resumed, read the freed tasklet.
    assert (
        output_in_the_main_greenlet("""
        print(getcurrent() is getmain())
        then.append(lambda: home.pop().throw())
        schedule()
        print(getcurrent() is getmain())
    """)
        == "False\nTrue\n"
    )


def test_a_tasklet_may_be_ended_by_what_it_releases_when_it_schedules():
    # This crashed: the switch continued from the ended tasklet.
    assert (
        output_in_the_main_greenlet("""
        class Value:
            def __del__(self):
                home.pop().throw()

        getcurrent().tempval = Value()
        print(schedule())
        print(getcurrent() is getmain())
    """)
        == "None\nTrue\n"
    )
