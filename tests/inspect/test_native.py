"""greenlet.inspect.dump(native=True): the calls of C functions."""

import functools
import io
import threading

import pytest
from support.environment import HAS_OWN_SWITCH
from support.greenlets import suspended

import greenlet
from greenlet import _greenlet, getcurrent, inspect

pytestmark = pytest.mark.skipif(not HAS_OWN_SWITCH, reason="this switch has no call-frame information")
native_stack = _greenlet.inspect._native_stack


def dump(**options):
    text = io.StringIO()
    inspect.dump(text, native=True, **options)
    return text.getvalue()


def names(g):
    return [function for function, _, _ in native_stack(g)]


def wait(*_):
    getcurrent().parent.switch()
    return 0


def through_c(n):
    """Suspend within n nested calls of C functions that call back."""
    return wait() if n == 0 else functools.reduce(lambda *_: through_c(n - 1), [0, 1])


def test_a_suspended_greenlet():
    g = suspended(through_c, 5)
    shallow = suspended(wait)
    assert len(native_stack(g)) >= len(native_stack(shallow)) + 5
    files = {file for _, file, _ in native_stack(g)}
    assert any("_greenlet" in str(file) for file in files)
    for _ in range(3):
        assert names(g) == names(g)
    g.switch()
    assert g.dead
    shallow.switch()


def test_the_running_one_and_the_main_one():
    def body():
        return len(names(getcurrent())), len(names(getcurrent().parent))

    own, main = greenlet.greenlet(body).switch()
    assert own > 1
    assert main > 5  # down to the process's main function


def test_those_without_a_stack():
    unstarted, finished = greenlet.greenlet(str), greenlet.greenlet(str)
    finished.switch()
    assert native_stack(unstarted) is None
    assert native_stack(finished) is None


def test_what_runs_in_another_thread_can_not_be_seen():
    found, ready, end = [], threading.Event(), threading.Event()

    def work():
        found.append(getcurrent())
        ready.set()
        end.wait(60)

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait(60)
    assert native_stack(found[0]) is None
    end.set()
    thread.join()
    found.clear()


def test_not_a_greenlet():
    with pytest.raises(TypeError, match="a greenlet is needed, not 'int'"):
        native_stack(7)


def test_dump():
    g = suspended(through_c, 2)
    entry = dump().split(f"at {id(g):#x}, suspended\n")[1].split("\n\n")[0]
    assert entry.index("in wait\n") < entry.index("  C ")
    assert entry.count("\n  C ") > 2
    limited = dump(limit=1).split(f"at {id(g):#x}, suspended\n")[1].split("\n\n")[0]
    assert limited.count("  C ") == 1
    assert "  C " not in dump(limit=0)
    g.switch()


def test_many_times_without_a_trace():
    g = suspended(through_c, 3)
    before = names(g)
    for _ in range(1000):
        native_stack(g)
    assert names(g) == before
    g.switch()
    assert g.dead
