"""Odd programs about frames, generators, contexts and recursion."""

import contextlib
import contextvars
import faulthandler
import gc
import inspect
import os
import sys
import threading
import traceback
import tracemalloc
import types
import weakref

from stress.odd.common import main, parrot, program, raises, suspended

from greenlet import getcurrent, greenlet


@program
def generators_shared_by_greenlets():
    def generate():
        try:
            while True:
                yield getcurrent().parent.switch("in the generator")
        finally:
            getcurrent()

    generator = generate()
    g = greenlet(lambda: next(generator))
    assert g.switch() == "in the generator"
    raises(ValueError, next, generator)
    raises(ValueError, generator.send, 1)
    raises(ValueError, generator.throw, KeyError)
    raises(ValueError, generator.close)
    raises(RuntimeError, generator.gi_frame.clear)
    assert inspect.getgeneratorstate(generator) == inspect.GEN_RUNNING
    frame = generator.gi_frame
    assert g.switch("value") == "value"
    del g
    other = greenlet(lambda: next(generator))
    assert other.switch() == "in the generator"
    weak = weakref.ref(generator)
    del generator, other
    gc.collect()
    assert weak() is None or frame is not None
    traceback.extract_stack(frame)


@program
def coroutines_left_running_in_a_killed_greenlet():
    @types.coroutine
    def leaf():
        yield getcurrent().parent.switch("below")

    async def run():
        async with Manager():
            await leaf()

    class Manager:
        async def __aenter__(self):
            pass

        async def __aexit__(self, *_):
            await leaf()

    coroutine = run()
    g = greenlet(coroutine.send)
    assert g.switch(None) == "below"
    raises(ValueError, coroutine.send, None)
    frame = coroutine.cr_frame
    del g
    gc.collect()
    with contextlib.suppress(ValueError):
        coroutine.close()
    traceback.extract_stack(frame)


@program
def frames_outlive_their_greenlet():
    def down(depth, value):
        if depth:
            return down(depth - 1, [value, depth])
        getcurrent().parent.switch()

    frames = []
    for _ in range(20):
        g = suspended(down, 50, "value")
        frame = g.gr_frame
        while frame is not None:
            frames.append(frame)
            frame = frame.f_back
        raises(RuntimeError, g.gr_frame.clear)
        frames[-1].f_trace = lambda *_: None
        del g, frame
    others = [suspended() for _ in range(100)]
    for frame in frames:
        frame.f_locals, frame.f_lineno, frame.f_back, repr(frame)
        with contextlib.suppress(RuntimeError):
            frame.clear()
    assert [g.switch(1) for g in others] == [1] * 100


@program
def variables_are_changed_from_outside():
    def run(value):
        while value != "end":
            getcurrent().parent.switch(value)

    g = suspended(run, "before")
    frame = g.gr_frame
    for _ in range(100):
        frame.f_locals["value"] = ["changed"]
    frame.f_locals["new"] = g
    raises(ValueError, setattr, frame, "f_lineno", frame.f_lineno + 1)
    run.__code__ = parrot.__code__
    run.__defaults__ = None
    g.switch()
    gc.collect()


@program
def recursion_limit_is_lowered_while_others_are_deep():
    def down(depth):
        if depth:
            return down(depth - 1)
        return getcurrent().parent.switch()

    greenlets = [suspended(down, 500) for _ in range(10)]
    sys.setrecursionlimit(100)
    for g in greenlets:
        with contextlib.suppress(RecursionError):
            g.switch()
    greenlets = [suspended() for _ in range(3)]
    sys.setrecursionlimit(10_000)
    assert [g.switch(1) for g in greenlets] == [1] * 3


@program
def kill_at_the_recursion_limit():
    def ends():
        try:
            getcurrent().parent.switch()
        finally:
            events.append(sorted([2, 1], key=lambda value: value))

    def down():
        g = suspended(ends)
        try:
            down()
        finally:
            del g

    events = []
    sys.unraisablehook = lambda _: None
    raises(RecursionError, down)
    assert len(events) > 100


@program
def contexts_are_left_in_another_order():
    context = contextvars.copy_context()
    variable = contextvars.ContextVar("variable")
    inside = greenlet(lambda: context.run(main.switch, 1))
    assert inside.switch() == 1
    raises(RuntimeError, context.run, len, "")
    other = greenlet(lambda: getcurrent().parent.switch(2))
    other.gr_context = context
    assert other.switch() == 2
    with contextlib.suppress(RuntimeError):
        inside.gr_context = contextvars.copy_context()
        inside.switch()
    with contextlib.suppress(RuntimeError):
        contextvars.copy_context().run(lambda: setattr(getcurrent(), "gr_context", context))
    with contextlib.suppress(RuntimeError):
        contextvars.copy_context().run(lambda: setattr(getcurrent(), "gr_context", None))
    other.switch()
    tokens = []
    greenlet(lambda: tokens.append(variable.set(1))).switch()
    with contextlib.suppress(ValueError):
        variable.reset(tokens[0])


@program
def everything_that_looks_at_frames():
    def work():
        g = suspended(lambda: [getcurrent().parent.switch(i) for i in range(10**9)])
        while not stop:
            g.switch()

    stop = []
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    kept = [suspended() for _ in range(10)]
    tracemalloc.start(25)
    with open(os.devnull, "w") as nowhere:
        for _ in range(50):
            for frame in sys._current_frames().values():
                traceback.extract_stack(frame)
            if hasattr(sys, "_current_exceptions"):
                sys._current_exceptions()
            faulthandler.dump_traceback(nowhere, all_threads=True)
            for g in kept:
                traceback.extract_stack(g.gr_frame)
            tracemalloc.take_snapshot()
    tracemalloc.stop()
    stop.append(True)
    for thread in threads:
        thread.join()
