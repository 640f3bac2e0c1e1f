"""Functions that wait in the wrong place: closed loops, other threads and greenlets, destructors, interpreter exit."""

import asyncio
import gc
import re
import sys
import threading
import types

import pytest
from support.environment import IS_DEBUG_BUILD, IS_FREE_THREADED, RACES
from support.event_loops import NO_PORTAL, drive, eager, ready, switch_out
from support.processes import output_of, output_of_stress, run_python
from support.threads import begun_by_one_of_several_threads

import greenlet
from greenlet import getcurrent
from greenlet.aio import await_, ensure_portal, has_portal, iter_, run
from greenlet.generators import generator, yield_


def test_await_in_a_greenlet_whose_parent_has_no_portal():
    def inner():
        with pytest.raises(RuntimeError, match=NO_PORTAL):
            await_(ready())
        return has_portal()

    def function():
        return greenlet.greenlet(inner, outside).switch()

    outside = getcurrent()
    with pytest.raises(StopIteration) as end:
        run(function).send(None)
    assert end.value.value is False


def test_await_of_itself():
    coroutines = [run(lambda: await_(coroutines[1])), run(lambda: await_(coroutines[0]))]
    with pytest.raises(ValueError, match="coroutine already executing"):
        coroutines[0].send(None)
    coroutine = run(lambda: await_(coroutine))
    with pytest.raises(ValueError, match="coroutine already executing"):
        coroutine.send(None)


@eager
@pytest.mark.skipif(IS_DEBUG_BUILD, reason="CPython asserts that eager tasks end in the reverse order of their starts")
def test_a_task_that_has_ended_is_not_taken_for_the_running_one():
    # The tasks end in the wrong order, so asyncio still has an ended one as the current task: CPython 3.12.1 crashed.
    async def switches():
        main.switch()

    async def function():
        loop = asyncio.get_running_loop()
        running = asyncio.current_task()
        loop.set_task_factory(asyncio.eager_task_factory)
        begun = [greenlet.greenlet(lambda: loop.create_task(switches())) for _ in range(2)]
        for _ in range(2):
            for each in begun:
                each.switch()
        assert asyncio.current_task().done()
        try:
            with pytest.raises(RuntimeError, match="has to be awaited in a task"):
                await ensure_portal()
        finally:
            asyncio.tasks._swap_current_task(loop, running)

    main = getcurrent()
    asyncio.run(function())


def test_a_loop_within_the_loop():
    def function():
        coroutine = ready()
        try:
            asyncio.run(coroutine)
        finally:
            coroutine.close()

    with pytest.raises(RuntimeError, match=r"cannot be called from a running event loop"):
        asyncio.run(run(function))


def abandoned_tasks(function):
    """Abandon a task together with its loop. Returns the exceptions that were reported as unraisable."""
    errors = []
    hook, sys.unraisablehook = sys.unraisablehook, lambda unraisable: errors.append(unraisable.exc_value)
    try:
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda loop, context: None)  # reports that a task was destroyed
        loop.create_task(run(function))
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        del loop
        gc.collect()
    finally:
        sys.unraisablehook = hook
    return errors


def test_what_was_sent_may_have_somebody_else_wait_when_it_goes():
    def wait_in_a_greenlet(value):
        greenlet.greenlet(lambda: await_(switch_out(value))).switch()

    class Value:
        def __del__(self):
            wait_in_a_greenlet("third")

    @types.coroutine
    def several():
        yield "first"
        wait_in_a_greenlet("second")
        yield "never seen, for nobody waits for the function by then"

    def function():
        bodies.append(getcurrent())
        await_(several())

    bodies = []
    coroutine = run(function)
    assert coroutine.send(None) == "first"
    assert coroutine.send(Value()) == "second"
    assert coroutine.send(None) == "third"  # the last reference to the value was that of await_()
    with pytest.raises(RuntimeError, match=NO_PORTAL):
        bodies.pop().switch()


@pytest.mark.skipif(
    sys.version_info[:2] not in [(3, 12), (3, 13)],
    reason="the thread state knows its task, or there are no eager tasks",
)
def test_the_hash_of_the_loop_may_end_the_function():
    # await_() looks up the running task by the loop, which calls __hash__(): the portal was freed then.
    assert (
        output_of(
            """
        import asyncio
        from greenlet import getcurrent, greenlet
        from greenlet.aio import await_, run

        class Loop(asyncio.SelectorEventLoop):
            def __hash__(self):
                if getcurrent() in children:
                    children.clear()
                    bodies.pop().switch()
                return 1

        class Waits:
            def __await__(self):
                yield

        def wait():
            try:
                await_(Waits())
            except RuntimeError as error:
                print(str(error).split(":")[0])

        def function():
            child = greenlet(wait)
            bodies.append(getcurrent())
            children.append(child)
            again.append(child)
            child.switch()

        def call_back():
            try:
                run(function).send(None)
            except StopIteration:
                print("ended")
            again[0].parent = getcurrent()
            again[0].switch()

        bodies, children, again = [], [], []
        loop = Loop()
        loop.call_soon(call_back)
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()
        """
        )
        == "ended\nno portal to an event loop here\n"
    )


def test_a_closed_loop_ends_its_functions():
    def function():
        try:
            await_(asyncio.get_running_loop().create_future())
        finally:
            log.append("finally")

    log = []
    assert abandoned_tasks(function) == []
    assert log == ["finally"]


def test_a_function_that_waits_again_after_its_loop_was_closed():
    def function():
        future = asyncio.get_running_loop().create_future()
        try:
            await_(future)
        finally:
            await_(future)

    (error,) = abandoned_tasks(function)
    assert isinstance(error, RuntimeError)
    # With eager tasks await_() checks which task owns the portal, and that task no longer runs.
    assert re.match(
        NO_PORTAL if hasattr(asyncio, "eager_task_factory") else "coroutine ignored GeneratorExit", str(error)
    )


@pytest.mark.skipif(sys.version_info < (3, 14), reason="the depth of a frame's value stack is not recorded")
def test_a_closed_loop_ends_iteration():
    async def values():
        yield 1
        await asyncio.get_running_loop().create_future()

    def function():
        iterator = iter_(values())
        assert next(iterator) == 1
        try:
            next(iterator)
        finally:
            log.append("finally")

    log = []
    abandoned_tasks(function)
    assert log == ["finally"]


def test_resuming_in_another_thread():
    def in_thread():
        for use in (lambda: coroutine.send(None), lambda: coroutine.throw(LookupError), coroutine.close):
            with pytest.raises(greenlet.error):
                use()
            log.append("refused")

    log = []
    coroutine = run(lambda: await_(switch_out()))
    coroutine.send(None)
    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    assert log == ["refused"] * 3
    with pytest.raises(StopIteration) as end:
        coroutine.send("value")
    assert end.value.value == "value"


def test_threads_that_begin_a_coroutine_at_once():
    # Without a GIL two threads once started it: crash.
    def function(argument):
        begun.append(argument)
        await_(switch_out(1))
        return 2

    for _ in range(RACES):
        begun = []
        coroutine = run(function, 3)
        begun_by_one_of_several_threads(lambda: coroutine.send(None), 1)
        assert begun == [3]


def test_a_generator_closed_while_it_awaits():
    @generator
    def awaits():
        try:
            yield_(await_(switch_out("waiting")))
        finally:
            log.append("finally")

    log = []
    g = awaits()
    coroutine = run(next, g)
    assert coroutine.send(None) == "waiting"
    for use in (g.close, lambda: next(g), lambda: g.throw(LookupError)):
        with pytest.raises(ValueError, match="generator already executing"):
            use()
    with pytest.raises(StopIteration) as end:
        coroutine.send("value")
    assert (end.value.value, log) == ("value", [])
    g.close()
    assert log == ["finally"]


def test_a_generator_dropped_while_it_awaits():
    @generator
    def awaits():
        try:
            await_(switch_out("waiting"))
        finally:
            log.append("finally")

    log = []
    coroutine = run(next, awaits())
    coroutine.send(None)
    del coroutine
    assert log == ["finally"]


def test_await_in_a_destructor():
    class Object:
        def __del__(self):
            log.append(await_(switch_out("from a destructor")))

    def function():
        Object()
        return "result"

    log = []
    assert drive(run(function), "value") == (["from a destructor"], "result")
    assert log == ["value"]


def test_somebody_else_switches_to_the_function():
    def function():
        bodies.append(getcurrent())
        return await_(switch_out("waiting"))

    bodies = []
    coroutine = run(function)
    assert coroutine.send(None) == "waiting"
    assert bodies[0].switch("direct") == "direct"
    assert bodies[0].dead
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        coroutine.send(None)


@pytest.mark.skipif(
    IS_FREE_THREADED and sys.version_info >= (3, 14),
    reason="a loop that was not closed writes an error at exit there, also without greenlets",
)
def test_the_interpreter_exits_while_functions_wait():
    assert (
        output_of(
            """
        import asyncio, threading, warnings
        from greenlet.aio import await_, portal, run

        warnings.simplefilter("ignore", ResourceWarning)  # that the loop was not closed

        def function():
            try:
                await_(loop.create_future())
            finally:
                print("not any more")

        loop = asyncio.new_event_loop()
        tasks = [loop.create_task(run(function)), loop.create_task(portal(asyncio.sleep(10)))]
        loop.run_until_complete(asyncio.sleep(0.001))
        loop.set_exception_handler(lambda *_: None)

        def in_thread():
            global loop_of_thread, task_of_thread
            loop_of_thread = asyncio.new_event_loop()
            task_of_thread = loop_of_thread.create_task(run(lambda: await_(loop_of_thread.create_future())))
            loop_of_thread.set_exception_handler(lambda *_: None)
            loop_of_thread.run_until_complete(asyncio.sleep(0.001))

        thread = threading.Thread(target=in_thread)
        thread.start()
        thread.join()
        print("end")
        """
        )
        == "end\n"
    )


def test_the_interpreter_exits_while_a_task_with_a_portal_waits():
    done = run_python(
        """
        import asyncio
        from greenlet.aio import await_, ensure_portal

        async def main():
            await ensure_portal()
            try:
                await_(loop.create_future())
            finally:
                print("not any more")

        loop = asyncio.new_event_loop()
        task = loop.create_task(main())
        loop.set_exception_handler(lambda *_: None)
        loop.run_until_complete(asyncio.sleep(0.001))
        print("end")
        """
    )
    assert (done.returncode, done.stdout) == (0, "end\n"), (
        done
    )  # an error may report that its coroutine can't be closed


@pytest.mark.parametrize("library, count", [("asyncio", 200), ("uvloop", 50), ("trio", 40), ("anyio", 30)])
def test_random_programs_with_destructors_and_callbacks_that_await(library, count):
    # tests/stress/aio.py SEED COUNT SECONDS LOOP runs more programs.
    pytest.importorskip(library, exc_type=ImportError)
    assert output_of_stress("aio.py", 0, count, "inf", library).endswith(f"{count} programs survived\n")
