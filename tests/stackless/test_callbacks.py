"""greenlet.stackless: the callbacks of channels and of the scheduler, and the error handler."""

import sys

import pytest
from support.processes import output_of
from support.scheduler import WITH_A_SCHEDULER

import greenlet.stackless as stackless
from greenlet.stackless import channel, getcurrent, getmain, run, schedule, schedule_remove, tasklet

pytestmark = WITH_A_SCHEDULER


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
    # The callback switches to a greenlet of another tasklet. That tasklet lost its own tempval.
    assert (
        output_of("""
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
        channel.preference = 0          # the sender continues
        receiver = stackless.tasklet(channel.receive)()
        stackless.run()
        stackless.set_channel_callback(lambda *arguments: greenlets[1].switch())
        channel.send("sent")
        print(stackless.getmain().tempval, other_tasklet.tempval)
    """)
        == "None kept\n"
    )


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
    ((kind, value, traceback),) = seen
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
