"""Fixtures of the tests of greenlet.inspect."""

import contextlib

import pytest
from support.targets import PARKED, waiting


@pytest.fixture(scope="session")
def core(tmp_path_factory):
    """Return the path of a core file that the system wrote of a process with parked greenlets."""
    resource = pytest.importorskip("resource")  # Windows has none
    folder = tmp_path_factory.mktemp("core")
    with open("/proc/sys/kernel/core_pattern") as file:
        pattern = file.read().strip()
    if pattern.startswith("|") or "/" in pattern:
        pytest.skip(f"this system writes core files elsewhere: {pattern}")
    limits = resource.getrlimit(resource.RLIMIT_CORE)
    if limits[1] != resource.RLIM_INFINITY:
        pytest.skip("core files are limited here")
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        with contextlib.chdir(folder), waiting(PARKED) as process:
            process.send_signal(6)
            process.wait()
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, limits)
    found = list(folder.iterdir())
    if not found:
        pytest.skip("this system writes no core files")
    yield found[0]
    found[0].unlink()
