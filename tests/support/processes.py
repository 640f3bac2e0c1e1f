"""Runs Python programs in processes of their own."""

import os
import subprocess
import sys
import textwrap

from support.environment import PATIENCE, ROOT


def run_python(source, *, timeout=60, options=(), faulthandler=True, **environment):
    """Run *source* in a new process, with *environment* added to this one's. Returns the completed process."""
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
    """Return the standard output of *source*, which must succeed and leave standard error empty."""
    done = run_python(source, **options)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def run_script(path, *arguments, timeout=120, options=(), **environment):
    """Run the file *path* in a new process, with *environment* added to this one's. Returns the completed process."""
    return subprocess.run(
        [sys.executable, *options, str(path), *map(str, arguments)],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def output_of_script(path, *arguments, **options):
    """Return the standard output of the file *path*, which must succeed and leave standard error empty."""
    done = run_script(path, *arguments, **options)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout[-500:] + done.stderr[-3000:]
    return done.stdout


def stress_script(name):
    return ROOT / "tests" / "stress" / name


def output_of_stress(name, *arguments):
    """Return the standard output of a program of tests/stress, which must succeed."""
    done = run_script(stress_script(name), *arguments, timeout=300, options=("-X", "faulthandler"))
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return done.stdout
