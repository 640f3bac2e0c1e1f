"""`f_back` of the outermost frame of a generator or coroutine: the consumer's while it runs, None while suspended."""

import asyncio
import faulthandler
import functools
import gc
import inspect
import sys
import tempfile
import threading
import traceback
import warnings
import weakref

import pytest
from support.environment import IS_FREE_THREADED
from support.frames import chain
from support.processes import output_of

from greenlet import GreenletExit, getcurrent, greenlet, trim_stacks
from greenlet import error as greenlet_error
from greenlet.aio import await_, run
from greenlet.generators import generator, yield_

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="frames are not linked on 3.11")


@generator
def stacks():
    while True:
        yield_(chain(sys._getframe()))


def test_the_consumer_is_seen_each_time_it_is_another_one():
    g = stacks()

    def first():
        return next(g)

    def second():
        return next(g)

    assert first()[:3] == ["stacks", "first", "test_the_consumer_is_seen_each_time_it_is_another_one"]
    assert second()[:3] == ["stacks", "second", "test_the_consumer_is_seen_each_time_it_is_another_one"]
    assert chain(g.gi_frame) == ["stacks"]
    assert next(g)[1:] == chain(sys._getframe())


def test_as_in_a_native_generator():
    def native():
        while True:
            yield chain(sys._getframe())

    def consume(g):
        return next(g)[1:], [frame.function for frame in inspect.stack()]

    assert consume(stacks())[0] == consume(native())[0]


def test_a_warning_is_attributed_to_the_consumer():
    @generator
    def warns():
        warnings.warn("x", stacklevel=2)
        yield_()
        warnings.warn("y", stacklevel=2)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        line = sys._getframe().f_lineno + 1
        list(warns())
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)] * 2


def test_a_coroutine_shows_what_awaits_it_while_it_runs():
    seen = []

    def function():
        seen.append(chain(sys._getframe()))
        await_(asyncio.sleep(0))
        seen.append(chain(sys._getframe()))

    async def awaiter():
        await run(function)

    async def main():
        task = asyncio.create_task(awaiter())
        await asyncio.sleep(0)
        assert [frame.f_code.co_name for frame in task.get_stack()][:1] == ["awaiter"]
        await task

    asyncio.run(main())
    assert [stack[:2] for stack in seen] == [["function", "awaiter"]] * 2


def test_a_kept_frame_and_a_traceback_end_as_those_of_a_native_one():
    def native():
        yield sys._getframe()
        raise ValueError

    @generator
    def ours():
        yield_(sys._getframe())
        raise ValueError

    def use(make):
        g = make()
        frame = next(g)
        assert frame.f_back is None
        try:
            next(g)
        except ValueError as error:
            return [line.name for line in traceback.extract_tb(error.__traceback__)]

    assert use(ours)[-1] == "ours" and use(native)[-1] == "native"
    assert use(ours)[:-1] == use(native)[:-1]


def test_the_collector_and_other_threads_may_look_at_any_time():
    @generator
    def collects():
        for _ in range(3):
            gc.collect()
            yield_(chain(sys._getframe()))

    def nested(depth):
        return (
            [len(stack) for stack in collects()]
            if depth == 0
            else generator(lambda: yield_(nested(depth - 1)))().__next__()
        )

    lengths = nested(5)
    assert len(set(lengths)) == 1 and lengths[0] > 12
    started, stop = threading.Event(), threading.Event()

    def look():
        started.set()
        while not stop.is_set():
            for frame in sys._current_frames().values():
                chain(frame)

    thread = threading.Thread(target=look)
    thread.start()
    started.wait()
    try:
        for _ in range(30):
            nested(2)
    finally:
        stop.set()
        thread.join()


def test_one_that_switched_away_still_leads_to_its_consumer_and_nothing_is_visited_twice():
    main = getcurrent()

    class Thing:
        pass

    def consume():
        thing = Thing()
        return next(away()), thing

    @generator
    def away():
        main.switch()
        yield_(1)

    consumer = greenlet(consume)
    consumer.switch()
    for _ in range(3):
        gc.collect()
    value, thing = consumer.switch()
    assert value == 1 and isinstance(thing, Thing)


def test_a_dump_of_the_stack():
    @generator
    def dumps():
        with tempfile.TemporaryFile() as file:
            faulthandler.dump_traceback(file, all_threads=False)
            file.seek(0)
            yield_(file.read().decode())

    text = next(dumps())
    assert "in dumps" in text and "in test_a_dump_of_the_stack" in text


def test_a_thread_that_ends_leaves_no_link_to_its_frames():
    left = []

    def target():
        def consume():
            next(away())

        @generator
        def away():
            left.append(getcurrent())
            main.switch()

        main = getcurrent()
        left.append(greenlet(consume))
        left[0].switch()

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    for g in left:
        assert len(chain(g.gr_frame)) <= 3
    left.clear()
    gc.collect()


def test_frames_of_one_that_waits_for_itself_have_an_end():
    seen = []

    @generator
    def waits():
        def helper():
            yield_("first")
            seen.append(chain(body.gr_frame))  # the body waits for a value of its own generator

        bodies.append(getcurrent())
        greenlet(helper).switch()
        list(values)

    bodies = []
    values = waits()
    assert next(values) == "first"
    body = bodies[0]
    try:
        body.switch()
    except greenlet_error:
        pass
    assert seen and seen[0][-1] == "waits" and len(seen[0]) < 5


def test_deep_nesting_ends_with_the_outermost_consumer():
    def nested(depth):
        if depth == 0:
            return chain(sys._getframe())
        return next(generator(lambda: yield_(nested(depth - 1)))())

    found = nested(50)
    assert found[:4] == ["nested", "<lambda>", "nested", "<lambda>"]
    assert found[100:102] == ["nested", "test_deep_nesting_ends_with_the_outermost_consumer"]


def test_the_consumer_is_killed_while_the_body_is_away():
    main = getcurrent()
    kept = []

    @generator
    def away():
        kept.append(sys._getframe())
        try:
            main.switch()
        finally:
            kept.append(chain(sys._getframe()))

    def consume():
        next(away())

    consumer = greenlet(consume)
    consumer.switch()
    assert chain(kept[0]) == ["away", "consume"]
    assert isinstance(consumer.throw(), GreenletExit)
    assert kept[1] == ["away", "consume"]
    assert chain(kept[0]) in (["away"], ["away", "consume"])


@pytest.mark.skipif(
    sys.version_info >= (3, 15), reason="it returns the thread state's own frame, as at the start of a thread"
)
@pytest.mark.parametrize("look", [sys._getframe, functools.partial(sys._getframe, 0)], ids=["builtin", "partial"])
def test_a_builtin_function_that_asks_for_its_frame_gets_none_that_goes(look):
    # The function once got a frame object for the link, which lies in the greenlet's stack.
    frames = []

    def use():
        for _ in range(20):
            try:
                next(generator(look)())
            except StopIteration as end:
                frames.append(end.value)
            except ValueError:  # call stack is not deep enough
                pass

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    gc.collect()
    trim_stacks()
    for frame in frames:
        assert (chain(frame), frame.f_lineno, frame.f_locals) == (["(resumed by)"], 1, {})


def test_compiler_flags_are_not_those_of_the_link():
    # On 3.14 and 3.15 they were once read from None, as if it were a code object.
    expected = compile("def f(x: int): pass", "", "exec").co_flags
    for function in (compile, functools.partial(compile)):
        with pytest.raises(StopIteration) as end:
            next(generator(function)("def f(x: int): pass", "", "exec"))
        assert end.value.value.co_flags == expected


def test_a_ring_that_comes_about_while_a_greenlet_arrives():
    # A ring of frames is an endless loop for all code that follows `f_back`.
    assert (
        output_of("""
        import sys, traceback
        from greenlet import error, greenlet, getcurrent
        from greenlet.generators import generator, yield_

        main = getcurrent()
        seen = []

        @generator
        def x():
            global X
            X = getcurrent()
            main.switch()
            next(gy)

        @generator
        def y():
            global Y
            Y = getcurrent()
            yield_(1)
            next(gx)                    # switched to, so it runs for nobody; waits for X

        gx, gy = x(), y()
        next(gy)
        Y.switch()

        class Released:
            def __del__(self):          # runs in Y, which is just arriving
                try:
                    X.switch()          # X: next(gy) goes to Y, right here
                finally:
                    seen.append(len(list(traceback.walk_stack(sys._getframe()))))
                    seen.append(sys.exception() if hasattr(sys, "exception") else sys.exc_info()[1])
                    sys.settrace(lambda *arguments: None)
                    sys.settrace(None)

        def run(*_):
            child.parent = main
            getcurrent().parent = Y
            getcurrent().released = Released()

        child = greenlet(lambda: None, greenlet(run))
        try:
            child.switch()
        except error as refusal:
            print(refusal)
        print(0 < seen[0] < 10, seen[1])
    """)
        == "the generator waits for the greenlet that resumed it\nTrue None\n"
    )


@pytest.mark.skipif(IS_FREE_THREADED, reason="another thread may be asking for the frame's f_back")
@pytest.mark.parametrize(
    "begin",
    [
        lambda function: next(generator(function)()),
        lambda function: run(function).send(None),
    ],
    ids=["generator", "coroutine"],
)
def test_an_exception_that_is_kept_does_not_keep_the_consumer_s_variables(begin):
    class Thing:
        pass

    def fails():
        raise ValueError

    def consume():
        thing = Thing()
        things.append(weakref.ref(thing))
        try:
            begin(fails)
        except ValueError as error:
            return error.with_traceback(error.__traceback__.tb_next.tb_next)  # only the function's own entry

    things = []
    error = consume()
    assert error.__traceback__.tb_frame.f_back is None
    assert things[0]() is None
