"""Tasklets that several files of tests use."""

from greenlet.stackless import run, schedule, schedule_remove, tasklet


def noted(log, *yields):
    """Return a function that logs its name and yields to other tasklets, as often as there are *yields*."""

    def function(name):
        for _ in yields:
            log.append(name)
            schedule()
        log.append(name)

    return function


def paused(function=schedule_remove, *args):
    """Return a tasklet that has started and paused itself."""
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
