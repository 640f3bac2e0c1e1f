"""greenlet.stackless: exceptions thrown into tasklets and raised out of them, and kill()."""

import sys

import pytest
from support.scheduler import WITH_A_SCHEDULER
from support.tasklets import catches, paused

from greenlet.stackless import TaskletExit, channel, getcurrent, run, schedule, schedule_remove, tasklet

pytestmark = WITH_A_SCHEDULER


def test_throw_raises_at_once():
    log = []
    t = paused(catches(log))
    error = ValueError("x")
    t.throw(error)
    assert log == [error]
    assert not t.alive


def test_throw_makes_the_exception_as_raise_does():
    for arguments, expected in (
        ((ValueError,), ()),
        ((ValueError, "x"), ("x",)),
        ((ValueError, ("x", 1)), ("x", 1)),
        ((ValueError, ValueError("y")), ("y",)),
    ):
        log = []
        paused(catches(log)).throw(*arguments)
        assert [(type(e), e.args) for e in log] == [(ValueError, expected)]


def test_throw_keeps_the_traceback_it_is_given():
    try:
        1 / 0
    except ZeroDivisionError as exception:
        error, traceback = exception, exception.__traceback__
    log = []
    paused(catches(log)).throw(ZeroDivisionError, error, traceback)
    frames = []
    traceback = log[0].__traceback__
    while traceback is not None:
        frames.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    assert frames == ["function", "test_throw_keeps_the_traceback_it_is_given"]


def test_throw_later():
    log = []
    t = paused(catches(log))
    t.throw(ValueError, pending=True)
    assert log == [] and t.scheduled
    run()
    assert [type(e) for e in log] == [ValueError]


def test_throw_unblocks():
    log = []
    c = channel()

    def function():
        try:
            c.receive()
        except ValueError as exception:
            log.append(exception)

    t = tasklet(function)()
    run()
    assert c.balance == -1
    t.throw(ValueError)
    assert len(log) == 1 and c.balance == 0 and c.queue is None


def test_throw_into_a_dead_tasklet_is_an_error():
    t = tasklet(len)(())
    run()
    with pytest.raises(RuntimeError, match="dead"):
        t.throw(ValueError)
    with pytest.raises(RuntimeError, match="dead"):
        t.raise_exception(ValueError)
    t.throw(TaskletExit)
    t.raise_exception(TaskletExit)
    t.kill()


def test_throw_into_the_current_tasklet_raises():
    with pytest.raises(ValueError):
        getcurrent().throw(ValueError)
    with pytest.raises(TaskletExit):
        getcurrent().kill()


def test_throw_wants_exceptions():
    t = tasklet(print)()
    for wrong in ((3,), (int,), (ValueError("x"), "y"), (ValueError, None, 3)):
        with pytest.raises(TypeError):
            t.throw(*wrong)
    t.kill()


def test_an_exception_thrown_into_one_that_has_not_begun_ends_it():
    log = []
    t = tasklet(log.append)(1)
    with pytest.raises(ValueError):
        t.throw(ValueError)
    assert not t.alive and log == []


def test_raise_exception_instantiates():
    log = []
    t = paused(catches(log))
    t.raise_exception(ValueError, 1, 2)
    assert log[0].args == (1, 2)
    with pytest.raises(TypeError):
        t.raise_exception()
    with pytest.raises(TypeError):
        t.raise_exception(3)


def test_an_uncaught_exception_is_raised_out_of_run():
    def fails():
        raise ValueError("x")

    log = []
    t = tasklet(fails)()
    tasklet(log.append)(1)
    with pytest.raises(ValueError, match="x"):
        run()
    assert not t.alive and log == []
    run()
    assert log == [1]


def test_the_traceback_shows_where_in_the_tasklet():
    def inner():
        raise ValueError

    def outer():
        schedule()
        inner()

    tasklet(outer)()
    with pytest.raises(ValueError) as caught:
        run()
    assert [entry.name for entry in caught.traceback][-2:] == ["outer", "inner"]


def test_tasklet_exit_is_silent():
    def function():
        raise TaskletExit

    t = tasklet(function)()
    run()
    assert not t.alive
    assert issubclass(TaskletExit, SystemExit)


def test_system_exit_is_not():
    tasklet(sys.exit)(3)
    with pytest.raises(SystemExit):
        run()


def test_kill_runs_finally_blocks_at_once():
    log = []

    def function():
        try:
            schedule_remove()
        finally:
            log.append("finally")

    t = paused(function)
    assert t.kill() is None
    assert log == ["finally"]
    assert not t.alive
    t.kill()


def test_kill_later():
    log = []
    t = paused(catches(log))
    t.kill(pending=True)
    assert t.alive and log == []
    run()
    assert [type(e) for e in log] == [TaskletExit]


def test_an_exception_that_is_none_is_not_raised(monkeypatch):
    class Odd(Exception):
        def __new__(cls, *args):
            return 3

    t = paused()
    for give in (
        lambda: t.throw(Odd),
        lambda: t.throw(Odd, (1, 2)),
        lambda: t.raise_exception(Odd),
        lambda: t.raise_exception(Odd, 1),
    ):
        with pytest.raises(TypeError, match="did not make an exception"):
            give()
    with monkeypatch.context() as patched:
        patched.setattr(TaskletExit, "__new__", lambda *_: 3)
        with pytest.raises(TypeError, match="did not make an exception"):
            t.kill()
    assert t.alive and t.paused
    t.kill()
    assert not t.alive


def test_kill_of_one_that_has_not_begun_just_ends_it():
    log = []
    t = tasklet(log.append)(1)
    t.kill()
    assert not t.alive and not t.scheduled
    run()
    assert log == []


def test_a_killed_tasklet_may_go_on():
    log = []

    def function():
        try:
            schedule_remove()
        except TaskletExit:
            log.append("no")
        schedule()
        log.append("end")

    t = paused(function)
    t.kill()
    assert t.alive and log == ["no"]
    run()
    assert log == ["no", "end"]


def test_a_killed_tasklet_may_use_channels():
    log = []
    c = channel()

    def function():
        try:
            schedule_remove()
        finally:
            c.send("killed")

    t = paused(function)
    tasklet(lambda: log.append(c.receive()))()
    t.kill()
    run()
    assert log == ["killed"] and not t.alive
