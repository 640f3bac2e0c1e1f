"""greenlet.inspect.watch(): blocks are reported, and nothing else is."""

import contextlib
import ctypes
import importlib.util
import os
import selectors
import socket
import sys
import threading
import time

import pytest
from support.environment import HAS_SSL, IS_FREE_THREADED, IS_WINDOWS, PATIENCE
from support.greenlets import suspended
from support.processes import output_of, run_python
from support.threads import in_thread, wait_for

from greenlet import getcurrent, greenlet, inspect

NEED_SSL = {"eventlet", "trio", "uvloop"}  # a CPython may lack it
LONG = 0.05 * PATIENCE
NEVER = 0.4 * PATIENCE  # the limit where nothing may be reported: a busy machine may stop any thread for a while
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() here")
with_gil = pytest.mark.skipif(IS_FREE_THREADED, reason="there is no GIL to keep")


class Blocks(list):
    def __call__(self, block):
        self.append(block)


def names(block):
    return [frame.name for frame in block.stack]


def hold_the_thread(condition=lambda: False, seconds=10 * PATIENCE):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        pass


@contextlib.contextmanager
def waiting_selector():
    """A selector of a socket at which nothing arrives: select() of Windows takes nothing else, and not nothing."""
    with socket.socket(type=socket.SOCK_DGRAM) as quiet, selectors.DefaultSelector() as selector:
        quiet.bind(("127.0.0.1", 0))
        selector.register(quiet, selectors.EVENT_READ)
        yield selector


@pytest.fixture
def other():
    """A greenlet that waits for its thread."""
    g = suspended()
    yield g
    g.switch()


def test_the_greenlet_and_its_place(other):
    blocks = Blocks()

    def body():
        hold_the_thread(lambda: blocks)
        return getcurrent()

    with inspect.watch(LONG, blocks) as watch:
        g = greenlet(body).switch()
    block = blocks[0]
    assert block.thread == threading.get_ident()
    assert block.seconds >= LONG
    assert names(block)[:2] == ["body", "hold_the_thread"]
    assert not block.has_moved_on
    assert watch.found == len(blocks)
    if not IS_FREE_THREADED:
        assert block.greenlet is g
    assert f"held thread {block.thread:#x} for {block.seconds:.2f} s without a switch:\n" in str(block)
    assert "in hold_the_thread\n" in str(block)


def test_a_block_is_reported_once(other):
    blocks = Blocks()
    with inspect.watch(LONG, blocks):
        hold_the_thread(lambda: blocks)
        hold_the_thread(seconds=4 * LONG)
        assert len(blocks) == 1
        greenlet(int).switch()
        hold_the_thread(lambda: len(blocks) == 2)
    assert len(blocks) >= 2


def test_switching_is_no_block(other):
    blocks = Blocks()
    with inspect.watch(NEVER, blocks):
        end = time.monotonic() + 3 * NEVER
        while time.monotonic() < end:
            greenlet(int).switch()
    assert blocks == []


def test_a_thread_with_one_greenlet_is_none():
    blocks = Blocks()

    def alone():
        greenlet(int).switch()
        hold_the_thread(seconds=4 * LONG)

    with inspect.watch(LONG, blocks):
        in_thread(alone)
    assert not [block for block in blocks if "alone" in names(block)]


def test_a_thread_that_has_ended_is_none():
    left = in_thread(lambda: [suspended()])
    blocks = Blocks()
    with inspect.watch(LONG, blocks):
        time.sleep(3 * LONG)
    assert [block for block in blocks if block.thread != threading.get_ident()] == []
    left.clear()


def test_waiting_for_events_is_none(other):
    blocks = Blocks()
    with waiting_selector() as selector, inspect.watch(NEVER, blocks):
        selector.select(2 * NEVER)
    assert blocks == []


def test_a_function_that_waits_can_be_named(other):
    def wait_for_events():
        time.sleep(2 * NEVER)

    blocks = Blocks()
    with inspect.watch(NEVER, blocks, waits=[f"{__name__}.{wait_for_events.__qualname__}"]):
        wait_for_events()
    assert blocks == []


@with_gil
def test_c_code_that_keeps_the_gil(other):
    blocks = Blocks()
    seconds = 5 * LONG
    if IS_WINDOWS:
        sleep, duration = ctypes.PyDLL("kernel32").Sleep, int(seconds * 1e3)
    else:
        sleep, duration = ctypes.PyDLL(None).usleep, int(seconds * 1e6)
    with inspect.watch(LONG, blocks):
        sleep(duration)
        for _ in range(5):
            greenlet(int).switch()
        hold_the_thread(lambda: blocks)
    assert blocks[0].seconds >= LONG
    assert blocks[0].thread == threading.get_ident()


def test_another_thread(other):
    blocks = Blocks()

    def work():
        kept = suspended()
        hold_the_thread(lambda: blocks)
        kept.switch()

    thread = threading.Thread(target=work)
    with waiting_selector() as selector, inspect.watch(LONG, blocks):
        thread.start()
        wait_for(lambda: selector.select(0.01) or blocks)
        thread.join()
    assert blocks[0].thread == thread.ident


def test_standard_error_is_the_default():
    done = run_python(
        """
        import time, sys
        from greenlet import getcurrent, greenlet, inspect
        g = greenlet(lambda: getcurrent().parent.switch())
        g.switch()
        def slow():
            end = time.monotonic() + 30
            while watch.found == 0 and time.monotonic() < end:
                pass
        with inspect.watch(0.02) as watch:
            slow()
        """
    )
    assert done.returncode == 0, done
    assert "without a switch" in done.stderr
    assert "in slow" in done.stderr


def test_an_error_in_on_block_is_shown_and_the_watch_goes_on(other, capsys):
    calls = []

    def fail(block):
        calls.append(block)
        raise ZeroDivisionError("in on_block")

    with inspect.watch(LONG, fail):
        for number in (1, 2):
            hold_the_thread(lambda number=number: len(calls) == number)
            greenlet(int).switch()
    assert capsys.readouterr().err.count("ZeroDivisionError: in on_block") == len(calls) >= 2


def test_stop_within_on_block(other):
    blocks = []

    def stop(block):
        blocks.append(block)
        watch.stop()

    watch = inspect.watch(LONG, stop)
    hold_the_thread(lambda: blocks)
    watch.stop()
    assert len(blocks) == 1


def test_stop_twice():
    watch = inspect.watch(LONG)
    watch.stop()
    watch.stop()


def test_the_program_ends_while_it_is_watched():
    assert (
        output_of(
            """
        from greenlet import inspect
        inspect.watch(0.001)
        print("end")
        """
        )
        == "end\n"
    )


def status_of_child(function):
    """Fork, and return what *function* returns in the child; 255 if it raises an exception."""
    child = os.fork()
    if child == 0:
        status = 255
        try:
            status = function()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@needs_fork
class TestFork:
    def test_the_child_is_watched(self, other):
        blocks = Blocks()

        def child():
            blocks.clear()
            hold_the_thread(lambda: blocks)
            return 100 + watch.found

        with inspect.watch(LONG, blocks) as watch:
            hold_the_thread(lambda: blocks)
            assert status_of_child(child) == 101
            assert "hold_the_thread" in names(blocks[0])

    def test_the_child_of_the_child_is_watched(self, other):
        blocks = Blocks()

        def grandchild():
            hold_the_thread(lambda: blocks)
            return len(blocks)

        with inspect.watch(LONG, blocks):
            assert status_of_child(lambda: 100 + status_of_child(grandchild)) == 101

    def test_the_child_can_stop_it(self, other):
        blocks = Blocks()

        def child():
            watch.stop()
            hold_the_thread(seconds=3 * LONG)
            return 100 + len(blocks)

        with inspect.watch(LONG, blocks) as watch:
            assert status_of_child(child) == 100

    def test_a_stopped_watch_stays_stopped(self, other):
        blocks = Blocks()

        def child():
            hold_the_thread(seconds=3 * LONG)
            return 100 + len(blocks)

        with inspect.watch(LONG, blocks):
            pass
        assert status_of_child(child) == 100

    def test_in_on_block(self, other):
        statuses = []

        def on_block(block):
            statuses.append(status_of_child(lambda: 100))

        with inspect.watch(LONG, on_block):
            hold_the_thread(lambda: statuses)
        assert statuses == [100]

    def test_greenlets_of_the_child(self, other):
        with inspect.watch(LONG, Blocks()):
            assert status_of_child(lambda: in_thread(lambda: 100 + suspended().dead)) == 100


@pytest.mark.parametrize("max_block", [0, -1, 0.0001, float("nan"), float("inf")])
def test_too_short(max_block):
    with pytest.raises(ValueError, match="at least 0.001"):
        inspect.watch(max_block)


def test_on_block_must_be_callable():
    with pytest.raises(TypeError, match="on_block must be callable, not 'int'"):
        inspect.watch(1, 7)


def test_known_loops_are_not_reported():
    # Each loop waits for longer than the limit, beside a greenlet that is suspended.
    programs = {
        "asyncio": f"import asyncio; asyncio.run(asyncio.sleep({2 * NEVER}))",
        "gevent": f"import gevent; gevent.sleep({2 * NEVER})",
        "eventlet": f"import eventlet; eventlet.sleep({2 * NEVER})",
        "uvloop": f"import uvloop, asyncio; asyncio.run(asyncio.sleep({2 * NEVER}), loop_factory=uvloop.new_event_loop)"
        if sys.version_info >= (3, 12)
        else f"import uvloop; uvloop.install(); import asyncio; asyncio.run(asyncio.sleep({2 * NEVER}))",
        "trio": f"import trio; trio.run(trio.sleep, {2 * NEVER})",
    }
    for library, program in programs.items():
        if importlib.util.find_spec(library) is None or (library in NEED_SSL and not HAS_SSL):
            continue
        done = run_python(
            f"""
            from greenlet import getcurrent, greenlet, inspect
            import warnings; warnings.simplefilter("ignore")
            import {library}
            g = greenlet(lambda: getcurrent().parent.switch())
            g.switch()
            with inspect.watch({NEVER}) as watch:
                {program}
            assert watch.found == 0
            """
        )
        assert done.returncode == 0, (library, done.stderr)
