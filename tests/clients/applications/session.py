"""Reports the checks of a session as tests of a suite, and the figures that it measured."""

import contextlib
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable

import psutil
from sitecustomize import record

MIB = 1 << 20


@contextlib.contextmanager
def check(name: str):
    """A test that fails if the block raises an exception. The session continues."""
    record("started", name)
    try:
        yield
    except Exception:
        traceback.print_exc()
        record("ended", name, "failed")
    else:
        record("ended", name, "passed")


def figure(name: str, value: object) -> None:
    print(f"{name}: {value}", flush=True)
    record("figure", name, str(value))


def resident(process: psutil.Process) -> float:
    """Return the resident memory of *process* and its descendants in MiB. Shared memory counts for each process."""
    total = 0
    for member in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += member.memory_info().rss
    return total / MIB


def check_flat(name: str, samples: list[float]) -> None:
    """Check that memory grows by at most a twentieth in the second half of *samples* (MiB)."""
    half = samples[len(samples) // 2 :]
    third = len(half) // 3
    early, late = max(half[:third]), min(half[-third:])
    with check(name):
        assert late <= early * 1.05, f"grew from {early:.1f} to {late:.1f} MiB: {[round(sample) for sample in samples]}"


def wait_until(holds: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def kill(process: psutil.Popen) -> None:
    """Kill *process* and its descendants, if it still runs."""
    if process.poll() is None:
        for member in (*process.children(recursive=True), process):
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        process.wait()


def tell_to_end(process: psutil.Popen, seconds: float) -> float:
    """Send SIGTERM to *process*, which has to end with status 0 within *seconds*. Returns the seconds that it took."""
    begin = time.monotonic()
    process.send_signal(signal.SIGTERM)
    status = process.wait(timeout=seconds)
    assert status == 0, f"status {status}"
    return time.monotonic() - begin


@contextlib.contextmanager
def serving(*command: object):
    """Run a Python program while the `with` block runs.

    Returns the process, and the line that it prints when it is ready.
    """
    process = psutil.Popen([sys.executable, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        yield process, process.stdout.readline().strip()
    finally:
        kill(process)
