"""Marks of test modules that use greenlet.stackless."""

import pytest

# The time limit uses a signal. With a second thread the scheduler would assume that it may wake a tasklet, and never
# report a deadlock.
WITH_A_SCHEDULER = [pytest.mark.timeout(60, method="signal"), pytest.mark.usefixtures("scheduler_as_before")]
