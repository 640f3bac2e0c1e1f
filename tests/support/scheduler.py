"""Marks of test modules that use greenlet.stackless; tasklets that a timeout finds where a test expects them."""

import signal

import pytest
from support.environment import PATIENCE

from greenlet.stackless import run, tasklet

# The time limit uses a signal. With a second thread the scheduler would assume that it may wake a tasklet, and never
# report a deadlock. Windows has no such signal, and these tests no limit there.
WITH_A_SCHEDULER = [
    pytest.mark.timeout(60 * PATIENCE, method="signal") if hasattr(signal, "SIGALRM") else pytest.mark.timeout(0),
    pytest.mark.usefixtures("scheduler_as_before"),
]


def let_begin(t: tasklet) -> tasklet:
    """Run *t* to its first schedule_remove(). Make it runnable again.

    On a busy machine the time of run(timeout) may be up before a new tasklet has executed its first line. A test that
    asserts what an interrupted tasklet has done calls this function first.
    """
    run()
    assert t.paused
    return t.insert()
