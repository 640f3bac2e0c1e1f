"""Fixtures of all tests of greenlet.aio: the installed event loops, and a check for warnings."""

import warnings

import pytest
from support.event_loops import Asyncio, Trio, Uvloop


@pytest.fixture(params=[Asyncio, Uvloop, Trio], ids=lambda loop: loop.name)
def loop(request):
    if request.param is not Asyncio:
        pytest.importorskip(request.param.name, exc_type=ImportError)
    return request.param()


@pytest.fixture(autouse=True)
def no_warnings():
    """Fails on warnings, for example about a coroutine that was never awaited."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
