"""Runs commands in the root of the tree."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools import ROOT

GRACE = 20  # seconds between SIGTERM and SIGKILL


def call(command: Sequence[str | Path]) -> int:
    """Run *command*, which may be interrupted at the keyboard. Returns its exit status."""
    return subprocess.run([str(part) for part in command], cwd=ROOT, stdin=subprocess.DEVNULL).returncode


def run(
    command: Sequence[str | Path], seconds: float | None = None, log=None, environment: dict[str, str] | None = None
) -> int | None:
    """Run *command*. Returns its exit status, or None if it did not end within *seconds*.

    Its output goes to the open file *log*, by default to the output of this process. If it does not end in time, or
    this function is interrupted, it is ended with every process that it started.
    """
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log and subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.returncode is None:
            end(process)


def check(command: Sequence[str | Path], seconds: float, environment: dict[str, str]) -> None:
    """Run *command*. Raises RuntimeError with its output if it fails, or does not end within *seconds*."""
    with tempfile.TemporaryFile("w+") as log:
        if run(command, seconds, log, environment) != 0:
            log.seek(0)
            raise RuntimeError(f"{' '.join(map(str, command))}\n{log.read()}")


def end(process: subprocess.Popen) -> None:
    """End a process that leads its session, and every other process of the session's first group."""
    os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
