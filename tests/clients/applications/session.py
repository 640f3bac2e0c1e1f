"""What a session reports: its checks, as the tests of a suite, and the figures that it measured."""

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
    """A test: it fails if the block raises, and the session goes on."""
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
    """Resident memory of *process* and its descendants in MiB. What they share is counted for each."""
    total = 0
    for member in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += member.memory_info().rss
    return total / MIB


def check_flat(name: str, samples: list[float]) -> None:
    """That memory does not grow in the second half of *samples* (MiB): by a twentieth at most."""
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
    """Kills *process* and its descendants, if it still runs."""
    if process.poll() is None:
        for member in (*process.children(recursive=True), process):
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        process.wait()


def tell_to_end(process: psutil.Popen, seconds: float) -> float:
    """Sends SIGTERM, after which *process* has to end with status 0 within *seconds*. Returns the seconds that it took."""
    begin = time.monotonic()
    process.send_signal(signal.SIGTERM)
    status = process.wait(timeout=seconds)
    assert status == 0, f"status {status}"
    return time.monotonic() - begin


@contextlib.contextmanager
def serving(*command: object):
    """Runs a Python program while the block runs. Gives the process, and the line that it prints when it serves."""
    process = psutil.Popen([sys.executable, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        yield process, process.stdout.readline().strip()
    finally:
        kill(process)
