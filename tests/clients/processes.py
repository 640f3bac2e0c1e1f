"""Child processes with a time limit. They are killed with all their descendants."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path


def kill_group(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(
    command: list[object],
    *,
    log: Path,
    limit: float,
    cwd: Path,
    env: dict[str, str],
    progress: Callable[[float], None] = lambda seconds: None,
) -> int | None:
    """Run *command*, and append its output to *log*.

    Returns its exit status, or None if it took more than *limit* seconds.
    """
    begin = time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as output:
        process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env,
            start_new_session=True,
        )
        try:
            while True:
                try:
                    return process.wait(timeout=2)
                except subprocess.TimeoutExpired:
                    elapsed = time.monotonic() - begin
                    progress(elapsed)
                    if elapsed > limit:
                        return None
        finally:
            kill_group(process)
