"""greenlet.stackless: greenlets within tasklets, and tasklets in greenlets."""

import textwrap

import pytest
from support.processes import output_of
from support.scheduler import WITH_A_SCHEDULER

import greenlet
from greenlet.stackless import TaskletExit, run, schedule, schedule_remove, tasklet

pytestmark = WITH_A_SCHEDULER


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
    # This crashed: the greenlet ran as part of the ended tasklet.
    assert (
        output_of(
            textwrap.dedent(INTERRUPTED_SWITCHES)
            + textwrap.dedent("""
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
    """)
        )
        == "False ['second', 'no switch is possible here: another one is in progress']\n"
    )


@pytest.mark.parametrize(
    "switch, result", [("schedule", "None"), ("channel().receive", "'greenlets switched in the middle of this switch'")]
)
def test_a_switch_is_given_up_if_greenlets_switch_in_the_middle_of_it(switch, result):
    # Two tasklets ran as the current one: the one that was resumed out of turn, and the one that it interrupted.
    assert (
        output_of(
            textwrap.dedent(INTERRUPTED_SWITCHES)
            + textwrap.dedent(f"""
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
    """)
        )
        == f"[{result}, 'waits', 'other'] False False\n"
    )


def test_the_end_of_a_channel_callback_does_not_end_the_switch_of_another_tasklet():
    # This crashed: the callback's tasklet continued as the current one, which was about to wait, and waited twice.
    assert (
        output_of(
            textwrap.dedent(INTERRUPTED_SWITCHES)
            + textwrap.dedent("""
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
    """)
        )
        == "['no switch is possible here: another one is in progress', 'waits'] False\n"
    )


def test_a_tasklet_ends_while_a_greenlet_of_its_is_in_run():
    # This crashed: after the timeout the ended tasklet, which had no function any more, was resumed.
    assert (
        output_of("""
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
    """)
        == "False True\nTrue\n"
    )
