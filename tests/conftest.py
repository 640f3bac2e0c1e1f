"""Fixtures of all tests. Each test begins and ends in the main greenlet, without a tracer."""

import pytest

import greenlet


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
    """greenlet.stack_size, whose value is restored at the end."""
    before = greenlet.stack_size()
    yield greenlet.stack_size
    greenlet.stack_size(before)


@pytest.fixture
def scheduler_as_before():
    """Checks that a test leaves no runnable tasklet, trap or callback behind in greenlet.stackless."""
    from greenlet import stackless

    yield
    assert stackless.getcurrent() is stackless.getmain()
    assert stackless.getruncount() == 1
    assert stackless.switch_trap() == 0
    assert stackless.set_channel_callback(None) is None
    assert stackless.set_schedule_callback(None) is None
    assert stackless.set_error_handler(None) is None
