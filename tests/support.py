"""What several tests need."""

import ctypes
import gc
import os
import re
import subprocess
import sys
import sysconfig
import textwrap
import threading
from pathlib import Path

import pytest
from greenlet import error, getcurrent, greenlet

IS_FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
# CPython 3.13t never frees functions, nor classes once there was a second thread.
KEEPS_CLASSES = IS_FREE_THREADED and sys.version_info < (3, 14)
IS_DEBUG_BUILD = hasattr(sys, "gettotalrefcount")
HAS_ADDRESS_SANITIZER = hasattr(ctypes.CDLL(None), "__asan_init")
DAEMON_THREADS_END_WELL = pytest.mark.skipif(
    HAS_ADDRESS_SANITIZER, reason="daemon threads read what CPython has freed when the process ends, without greenlets too")

# How often a test lets threads race. Where they take turns there is little to find.
RACES = 100 if IS_FREE_THREADED else 10
# How many times longer a program may take because of a tool.
PATIENCE = 4 if HAS_ADDRESS_SANITIZER else 1

# For modules that use greenlet.stackless. A thread that watches the time could wake a tasklet, for all the scheduler knows, and
# then nothing is a deadlock: so the time limit is a signal's.
WITH_A_SCHEDULER = [pytest.mark.timeout(60, method="signal"), pytest.mark.usefixtures("scheduler_as_before")]


def run_python(source, *, timeout=60, options=(), faulthandler=True, **environment):
    """Run *source* in a process of its own, with *environment* added to this one's."""
    if faulthandler:
        options = ("-X", "faulthandler", *options)
    return subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(source)],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE * timeout,
    )


def output_of(source, **options):
    """The standard output of *source*, which must succeed and leave standard error empty."""
    done = run_python(source, **options)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def output_of_stress(name, *arguments):
    """The standard output of a program of tests/stress, which must succeed."""
    script = Path(__file__).parent / "stress" / name
    done = subprocess.run([sys.executable, "-X", "faulthandler", str(script), *map(str, arguments)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return done.stdout


def in_thread(function):
    """The result of *function*, called in a thread of its own; what it raises is raised here."""
    outcome = []

    def target():
        try:
            outcome.append((function(), None))
        except BaseException as exception:
            outcome.append((None, exception))

    thread = threading.Thread(target=target)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    result, exception = outcome.pop()
    if exception is not None:
        raise exception
    return result


def outcomes_in_threads(function, number=4):
    """The results of *function*, or what it raises, called in so many threads at once."""
    outcomes = []
    together = threading.Barrier(number)

    def target():
        together.wait()
        try:
            outcomes.append(function())
        except Exception as exception:
            outcomes.append(exception)

    threads = [threading.Thread(target=target) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return outcomes


def begun_by_one_of_several_threads(function, result):
    """Call *function*, which begins a generator or coroutine, in threads at once: one must get *result*, the others be refused."""
    outcomes = outcomes_in_threads(function)
    assert outcomes.count(result) == 1
    outcomes.remove(result)
    for refusal in outcomes:
        assert isinstance(refusal, (ValueError, error))
        assert re.search("already executing|different thread", str(refusal))


def chain(frame):
    """The names of the functions of a frame and of those that called it."""
    names = []
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names


def suspended(run=None, *args):
    """A greenlet that has begun *run* and switched back here."""
    if run is None:
        def run():
            getcurrent().parent.switch()
    g = greenlet(run)
    g.switch(*args)
    assert g and not g.dead
    return g


def collect():
    """Collect all garbage, and what collecting it made garbage."""
    while gc.collect():
        pass
