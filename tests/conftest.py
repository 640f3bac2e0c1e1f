"""For all tests: each begins and ends in the main greenlet, and without a tracer."""

import greenlet
import pytest


@pytest.fixture(autouse=True)
def leaves_no_trace():
    main = greenlet.getcurrent()
    assert main.parent is None
    assert greenlet.gettrace() is None
    yield
    assert greenlet.getcurrent() is main
    assert greenlet.settrace(None) is None


@pytest.fixture
def stack_size():
    """greenlet.stack_size, set back to what it was at the end."""
    before = greenlet.stack_size()
    yield greenlet.stack_size
    greenlet.stack_size(before)
