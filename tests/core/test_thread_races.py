"""Threads that use the same greenlets at once."""

import contextvars
import queue
import sys
import textwrap
import threading

import pytest
from support.environment import IS_FREE_THREADED
from support.processes import output_of, output_of_stress

from greenlet import error, getcurrent, greenlet


def run_threads(source, functions, check=""):
    """Run *source* in a new process, then each of its *functions* in a thread of its own, all at once, then *check*."""
    threads = f"""
import threading

threads = [threading.Thread(target=function) for function in ({functions},)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
{check}
print("done")
"""
    assert output_of(textwrap.dedent(source) + threads) == "done\n"


def test_the_context_of_a_suspended_greenlet_of_another_thread():
    variable = contextvars.ContextVar("variable")
    first, second = contextvars.Context(), contextvars.Context()
    first.run(variable.set, "first")
    second.run(variable.set, "second")
    seen = []

    def run():
        seen.append(variable.get())
        getcurrent().parent.switch()
        seen.append(variable.get())

    def target():
        g = greenlet(run)
        g.gr_context = first
        g.switch()
        handed_over.put(g)
        go_on.wait(30)
        g.switch()

    handed_over, go_on = queue.SimpleQueue(), threading.Event()
    thread = threading.Thread(target=target)
    thread.start()
    g = handed_over.get(timeout=30)
    try:
        if IS_FREE_THREADED and sys.version_info < (3, 14):  # other threads can't be stopped there
            with pytest.raises(
                ValueError, match="cannot get context of a greenlet that is running in a different thread"
            ):
                g.gr_context
            with pytest.raises(
                ValueError, match="cannot set context of a greenlet that is running in a different thread"
            ):
                g.gr_context = second
            second = first
        else:
            assert g.gr_context is first
            g.gr_context = second
            assert g.gr_context is second
    finally:
        go_on.set()
        thread.join(30)
    assert seen == ["first", second[variable]]


def test_the_context_of_a_greenlet_may_be_read_and_set_while_its_thread_switches():
    run_threads(
        """
        import contextvars, threading, time
        from greenlet import getcurrent, greenlet

        variable = contextvars.ContextVar("variable")
        end = time.monotonic() + 1
        contexts = [contextvars.Context() for _ in range(10)]
        known = {id(context) for context in contexts}

        def run():
            while True:
                variable.set(variable.get(0) + 1)
                getcurrent().parent.switch()

        greenlets = []
        ready = threading.Event()

        def switch():
            greenlets.extend(greenlet(run) for _ in range(100))
            for g, context in zip(greenlets, contexts * 10):
                g.gr_context = context
            ready.set()
            while time.monotonic() < end:
                for g in greenlets:
                    g.switch()

        def look():
            ready.wait()
            while time.monotonic() < end:
                for g, context in zip(greenlets, contexts * 10):
                    try:
                        assert id(g.gr_context) in known
                        g.gr_context = context
                    except ValueError as error:
                        assert "running in a different thread" in str(error)

        """,
        "switch, look, look",
    )


def test_threads_may_look_at_greenlets_of_a_thread_that_ends():
    # Reading `dead` of such a greenlet frees what it holds. Without a GIL the ending thread did so at the same time:
    # crash.
    run_threads(
        """
        import functools, threading, time
        from greenlet import getcurrent, greenlet

        end = time.monotonic() + 2
        seen_by = [[] for _ in range(4)]

        def run(depth):
            if depth > 0:
                run(depth - 1)
            getcurrent().parent.switch()

        def leave_greenlets(count):
            greenlets = [greenlet(run) for _ in range(count)]
            for g in greenlets:
                g.switch(count % 7)
            for box in seen_by:
                box.extend(greenlets)

        def start_threads():
            count = 0
            while time.monotonic() < end:
                count = count % 59 + 1
                thread = threading.Thread(target=leave_greenlets, args=(count,))
                thread.start()
                thread.join()

        def context_of(g):
            try:
                return g.gr_context
            except ValueError as error:
                assert "running in a different thread" in str(error)

        def look(box, function):
            while time.monotonic() < end:
                for g in list(box):
                    function(g)
                    g.dead
                del box[:len(box) // 2]
                time.sleep(0)

        looks = [functools.partial(look, box, function) for box, function in zip(
            seen_by, (lambda g: g.gr_frame, context_of, lambda g: g._stack_saved, repr))]
        """,
        "start_threads, start_threads, *looks",
    )


def test_greenlets_finish_while_other_threads_change_their_parents():
    # Without a GIL a finishing greenlet resumed a parent that had been freed: crash.
    run_threads(
        """
        import time
        from greenlet import getcurrent, greenlet

        end = time.monotonic() + 1
        published = []
        counts = [0, 0, 0]

        def finish():
            main = getcurrent()
            while time.monotonic() < end:
                g = greenlet(lambda: None)
                published[:] = main, g
                g.switch()
                counts[0] += 1

        def change(i):
            while time.monotonic() < end:
                try:
                    main, g = published
                    g.parent = greenlet(lambda *arguments: None, main)
                    counts[i] += 1
                except ValueError as error:
                    assert "unpack" in str(error) or "cyclic" in str(error)

        """,
        "finish, lambda: change(1), lambda: change(2)",
        "assert min(counts) > 0, counts",
    )


def test_threads_that_change_parents_make_no_cycle():
    # Without a GIL each thread checked before the other set its parent: the next switch never ended.
    run_threads(
        """
        import sys
        from greenlet import greenlet

        sys.setswitchinterval(1e-5)
        take_turns = getattr(sys, "_is_gil_enabled", lambda: True)()
        rounds = [(greenlet(), greenlet()) for _ in range(100 if take_turns else 1_000)]
        reached = [0, 0]

        def change(first, second):
            for i, pair in enumerate(rounds):
                reached[first] = i
                while reached[second] < i:
                    pass
                try:
                    pair[first].parent = pair[second]
                except ValueError:
                    pass
            reached[first] = len(rounds)

        """,
        "lambda: change(0, 1), lambda: change(1, 0)",
        "assert not any(a.parent is b and b.parent is a for a, b in rounds)",
    )


def test_one_that_another_thread_starts_while_its_run_is_looked_up():
    # The switch continued as if this thread had started the greenlet: crash.
    class Contended(greenlet):
        @property
        def run(self):
            if threading.get_ident() == here:
                looked_up.set()
                started.wait(30)
            return lambda: getcurrent().parent.switch("suspended")

    def target():
        looked_up.wait(30)
        g.parent = getcurrent()
        results.append(g.switch())
        started.set()
        go_on.wait(30)
        results.append(g.switch("finished"))

    here, results = threading.get_ident(), []
    looked_up, started, go_on = threading.Event(), threading.Event(), threading.Event()
    g = Contended()
    thread = threading.Thread(target=target)
    thread.start()
    with pytest.raises(error, match="Cannot switch to a different thread"):
        g.switch()
    assert results == ["suspended"]
    go_on.set()
    thread.join(30)
    assert results == ["suspended", "finished"]


def test_refusals_while_the_thread_of_the_greenlet_ends():
    # The message names the thread's main greenlet, which the thread releases at that moment.
    run_threads(
        """
        import threading, time
        from greenlet import error, getcurrent

        end = time.monotonic() + 1
        others = []

        def come_and_go():
            while time.monotonic() < end:
                thread = threading.Thread(target=lambda: others.append(getcurrent()))
                thread.start()
                thread.join()
                del others[:-3]

        def switch():
            while time.monotonic() < end:
                for other in others[:]:
                    try:
                        other.switch()
                    except error as refusal:
                        assert "different thread" in str(refusal), refusal
                    else:
                        raise AssertionError
        """,
        "come_and_go, switch, switch",
    )


def test_threads_that_would_start_a_greenlet_at_once():
    # Without a GIL each thread took the greenlet for its own, because at some moment the parent was its own: crash.
    run_threads(
        """
        import sys, threading, time
        from greenlet import error, getcurrent, greenlet

        sys.setswitchinterval(1e-5)
        end = time.monotonic() + 1
        ready = threading.Barrier(3)
        mains, calls, wanted = [], [], []

        def start():
            mains.append(getcurrent())
            ready.wait()
            while time.monotonic() < end:
                for g in wanted:
                    try:
                        g.switch()
                    except error:
                        pass  # it is of the other thread, or its parent is by now

        def change_parents():
            ready.wait()
            while time.monotonic() < end:
                started = []
                wanted[:] = [greenlet(lambda: started.append(None), mains[0])]
                while not started and time.monotonic() < end:
                    for main in mains:
                        try:
                            wanted[0].parent = main
                        except ValueError:  # it has started
                            break
                calls.append(started)

        """,
        "start, start, change_parents",
        "assert len(calls) > 1 and all(started == [None] for started in calls[:-1]), calls",
    )


@pytest.mark.parametrize(
    "attribute, value",
    [
        ("parent", "greenlet(lambda: None)"),
        ("gr_context", "contextvars.Context()"),
        ("run", "lambda: None"),
        ("__dict__", "{}"),
    ],
)
def test_an_attribute_may_be_read_while_another_thread_sets_it(attribute, value):
    # Without a GIL the value was freed while it was read: crash.
    run_threads(
        f"""
        import contextvars, time
        from greenlet import greenlet

        g = greenlet()
        g.{attribute} = {value}
        end = time.monotonic() + 1

        def read():
            while time.monotonic() < end:
                for _ in range(100):
                    repr((g, g.{attribute}))

        def change():
            while time.monotonic() < end:
                for _ in range(100):
                    g.{attribute} = {value}

        """,
        "read, read, change",
    )


def test_run_is_set_while_another_thread_starts_the_greenlet():
    # If the greenlet had started by then, `run` was taken for the next greenlet in the kill queue: crash.
    run_threads(
        """
        import time
        from greenlet import getcurrent, greenlet

        box = [greenlet()]
        end = time.monotonic() + 2

        def starts():
            while time.monotonic() < end:
                for _ in range(100):
                    g = box[0] = greenlet(lambda: getcurrent().parent.switch())
                    g.switch()
                    del g
                getcurrent()

        def sets():
            while time.monotonic() < end:
                for _ in range(100):
                    try:
                        g = box[0]
                        g.run = lambda: getcurrent().parent.switch()
                    except AttributeError:  # it has started
                        pass
                    box[0] = g = greenlet()

        """,
        "starts, sets, sets",
    )


@pytest.mark.skipif(
    not IS_FREE_THREADED, reason="needs a free-threaded build; `python -m tools stress` runs it on all builds"
)
def test_threads_may_share_and_drop_each_others_greenlets_at_once():
    # A greenlet that its thread killed while another thread handed it over was once reported as a survivor.
    output_of_stress("threads.py", 5)
