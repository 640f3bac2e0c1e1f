"""Messages of exceptions have the details that a reader needs, after the reference's text where programs match it."""

import asyncio
import re
import threading

import pytest
from support.environment import ADDRESS, IS_FREE_THREADED, address_of
from support.greenlets import suspended
from support.scheduler import WITH_A_SCHEDULER
from support.threads import in_thread

import greenlet.stackless as stackless
from greenlet import aio, getcurrent, greenlet
from greenlet import error as greenlet_error
from greenlet.aio import async_, await_
from greenlet.generators import generator, yield_

pytestmark = WITH_A_SCHEDULER


def named_thread(function):
    """Run *function* in a thread called "worker", and return its result and the thread's id."""
    result = []
    thread = threading.Thread(target=lambda: result.append((function(), threading.get_ident())), name="worker")
    thread.start()
    thread.join()
    return result[0]


def failure_of(function, *arguments, type=greenlet_error):
    with pytest.raises(type) as caught:
        function(*arguments)
    return caught.value


HERE = f"'MainThread' ({threading.get_ident()})"


class TestTheWrongThread:
    def test_both_threads_are_named(self):
        g = suspended()
        failure, identity = named_thread(lambda: failure_of(g.switch))
        text = str(failure)
        assert text.startswith("Cannot switch to a different thread\n\tCurrent:  <greenlet.greenlet object at ")
        current, expected = text.splitlines()[1:]
        assert current.endswith(f"of thread 'worker' ({identity})")
        assert expected.endswith(f"of thread {HERE}")

    def test_of_a_thread_that_has_ended(self):
        g, identity = named_thread(suspended)
        failure = failure_of(g.switch)
        assert str(failure) == "cannot switch to a different thread (which happens to have exited)"
        assert failure.__notes__ == [f"This is thread {HERE}. The greenlet belongs to thread number {identity}."]

    @pytest.mark.parametrize(
        "kind, begin",
        [("generator", lambda: started(generator(lambda: yield_(1))())), ("coroutine", lambda: begun(async_(wait)()))],
    )
    def test_of_what_was_begun_in_another(self, kind, begin):
        function = begin()
        failure, identity = named_thread(lambda: failure_of(lambda: function.send(None)))
        there = (
            "another one, and goes on there only"
            if IS_FREE_THREADED
            else (f"thread {HERE}, and goes on there only; this is thread 'worker' ({identity})")
        )
        assert str(failure) == f"Cannot switch to a different thread: the {kind} was begun in {there}"
        function.close()


class Pause:
    def __await__(self):
        yield


def wait():
    await_(Pause())


def started(g):
    next(g)
    return g


def begun(coroutine):
    coroutine.send(None)
    return coroutine


class TestWhatIsNoGreenlet:
    @pytest.mark.parametrize("attempt", [lambda: greenlet(len, 5), lambda: setattr(greenlet(), "parent", 5)])
    def test_as_a_parent(self, attempt):
        failure = failure_of(attempt, type=TypeError)
        assert str(failure) == "GreenletChecker: Expected any type of greenlet, not int"
        assert failure.__notes__ == ["parent must be a greenlet, not int"]


class Mine(greenlet):
    pass


class TestNothingToRun:
    def test_names_the_class(self):
        assert re.search(
            r"^run: this .*Mine has none\. .*Mine\(function\).*define a method run\(\)",
            str(failure_of(Mine().switch, type=AttributeError)),
        )

    def test_after_the_start(self):
        assert "once it has started" in str(failure_of(getattr, suspended(), "run", type=AttributeError))


async def nothing():
    pass


class TestAwaiting:
    def test_in_another_thread_than_the_loops(self):
        async def main():
            coroutine = nothing()
            try:
                return await asyncio.to_thread(failure_of, await_, coroutine, type=RuntimeError)
            finally:
                coroutine.close()

        assert "asyncio.run_coroutine_threadsafe(awaitable, loop)" in str(asyncio.run(main()))

    def test_in_the_loops_thread_the_other_way_is_not_named(self):
        async def main():
            coroutine = nothing()
            failure = failure_of(await_, coroutine, type=RuntimeError)
            coroutine.close()
            return failure

        assert "threadsafe" not in str(asyncio.run(main()))

    @pytest.mark.parametrize("object", [42, None, nothing, [1]], ids=str)
    def test_a_portal_for_what_is_not_awaitable(self, object):
        failure = failure_of(aio.portal, object, type=TypeError)
        assert str(failure) == f"portal() needs an awaitable, not {type(object).__name__}"


class TestDeadlocks:
    def test_who_waits_for_what(self):
        c, d = stackless.channel(), stackless.channel()

        def reads():
            c.receive()

        def writes():
            d.send(1)

        tasklets = [stackless.tasklet(reads)(), stackless.tasklet(writes)()]
        stackless.run()
        text = str(failure_of(c.receive, type=RuntimeError))
        waiting = {
            f"{reads.__qualname__} waits to receive from the channel at {address_of(c)}",
            f"{writes.__qualname__} waits to send on the channel at {address_of(d)}",
        }
        assert text.startswith("Deadlock: the last runnable tasklet cannot be blocked. These wait: ") and text.endswith(
            "."
        )
        assert set(text[:-1].partition("These wait: ")[2].split("; ")) == waiting
        for t in tasklets:
            t.kill()

    def test_ten_of_many_are_named(self):
        c = stackless.channel()
        tasklets = [stackless.tasklet(c.receive)() for _ in range(25)]
        stackless.run()
        text = str(failure_of(stackless.channel().receive, type=RuntimeError))
        assert text.count("receive waits to receive") == 10
        assert text.endswith("; and 15 more.")
        for t in tasklets:
            t.kill()

    def test_a_trap_says_what_it_is(self):
        stackless.tasklet(len)("")
        stackless.switch_trap(2)
        try:
            text = str(failure_of(stackless.schedule, type=RuntimeError))
        finally:
            stackless.switch_trap(-2)
        assert text.startswith("switch_trap: ") and "stackless.switch_trap(-2)" in text
        stackless.run()


class TestRepr:
    def check(self, object, text):
        assert re.fullmatch(rf"<{text}>", repr(object))

    def test_of_tasklets(self):
        def function():
            self.check(
                stackless.getcurrent(), rf".*tasklet object at {ADDRESS}: {re.escape(function.__qualname__)}, current"
            )

        t = stackless.tasklet(function)
        self.check(t, rf".*tasklet object at {ADDRESS}: {re.escape(function.__qualname__)}, not alive")
        t()
        self.check(t, rf".*tasklet object at {ADDRESS}: {re.escape(function.__qualname__)}, runnable")
        stackless.run()
        self.check(t, rf".*tasklet object at {ADDRESS}: .*not alive")

    def test_of_one_that_waits(self):
        c = stackless.channel()
        t = stackless.tasklet(c.receive)()
        stackless.run()
        self.check(t, rf".*tasklet object at {ADDRESS}: receive waits to receive from the channel at {address_of(c)}")
        self.check(c, rf".*channel object at {ADDRESS}: balance -1, tasklets wait to receive")
        t.kill()
        c.close()
        self.check(c, rf".*channel object at {ADDRESS}: balance 0, nobody waits, clos(ing|ed)")

    def test_of_the_main_tasklet(self):
        self.check(stackless.getmain(), rf".*tasklet object at {ADDRESS}: the main tasklet, current")

    def test_of_a_channel_with_senders(self):
        c = stackless.channel()
        for value in range(2):
            stackless.tasklet(c.send)(value)
        stackless.run()
        self.check(c, rf".*channel object at {ADDRESS}: balance 2, tasklets wait to send")
        assert c.receive() == 0 and c.receive() == 1
        stackless.run()


def test_the_repr_of_another_threads_greenlet_needs_no_look_at_it():
    g = suspended()
    assert in_thread(lambda: repr(g)).startswith("<greenlet.greenlet object at ")
    assert getcurrent().parent is None
