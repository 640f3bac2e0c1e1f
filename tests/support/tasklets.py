"""Tasklets that several files of tests use."""

from greenlet.stackless import run, schedule, schedule_remove, tasklet


def noted(log, *yields):
    """A function that notes its name and yields, as often as there are *yields*."""

    def function(name):
        for _ in yields:
            log.append(name)
            schedule()
        log.append(name)

    return function


def paused(function=schedule_remove, *args):
    """A tasklet that has begun to run and paused itself."""
    t = tasklet(function)(*args)
    run()
    assert t.alive and t.paused
    return t


def catches(log):
    def function():
        try:
            schedule_remove()
        except BaseException as exception:
            log.append(exception)

    return function
