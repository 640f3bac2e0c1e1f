"""For modules that use greenlet.stackless."""

import pytest

# The time limit is a signal's: a watching thread could wake a tasklet, for all the scheduler knows, and then nothing is a deadlock.
WITH_A_SCHEDULER = [pytest.mark.timeout(60, method="signal"), pytest.mark.usefixtures("scheduler_as_before")]
