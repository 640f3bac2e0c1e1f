"""greenlet.inspect.dump_on_signal() where no process can send another one a signal (Windows)."""

import signal

import pytest
from support.environment import IS_WINDOWS
from support.processes import run_python

from greenlet import inspect

pytestmark = pytest.mark.skipif(not IS_WINDOWS, reason="there are signals here (test_signal_dump.py)")


@pytest.mark.parametrize("function", [inspect.dump_on_signal, inspect.stop_dumping_on_signal])
@pytest.mark.parametrize("arguments", [(), (signal.SIGINT,), (signal.SIGSEGV,), (1000,)])
def test_it_says_that_there_are_none(function, arguments):
    with pytest.raises(NotImplementedError, match="no process can send another one a signal on this system"):
        function(*arguments)


def test_the_environment_variable_is_ignored_with_a_warning():
    done = run_python("import greenlet; print('done')", GREENLET_DUMP_ON_SIGNAL="USR1")
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert "RuntimeWarning: GREENLET_DUMP_ON_SIGNAL='USR1' is ignored" in done.stderr
