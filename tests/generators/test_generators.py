"""greenlet.generators: the protocol of native generators, with yield_() at any depth."""

import collections.abc
import contextlib
import contextvars
import functools
import gc
import inspect
import sys
import threading
import traceback
import types
import weakref

import greenlet
import pytest
from greenlet import getcurrent
from greenlet.generators import Generator, generator, yield_
from support.environment import IS_FREE_THREADED, RACES
from support.processes import output_of, output_of_stress
from support.threads import begun_by_one_of_several_threads, in_thread, outcomes_in_threads


@generator
def count_to(n):
    for i in range(1, n + 1):
        yield_(i)


def native():
    yield 1


async def coroutine():
    pass


async def asynchronous():
    yield 1


class Natives:
    def method(self):
        yield 1

    @classmethod
    def of_class(cls):
        yield 1


@pytest.mark.parametrize("function", [
    native, coroutine, asynchronous, types.coroutine(native), Natives().method, Natives.of_class, functools.partial(native),
    functools.partial(functools.partial(Natives().method)), classmethod(native), staticmethod(coroutine),
], ids=repr)
def test_a_function_that_makes_something_else_than_a_call_is_refused_with_what_to_write(function):
    with pytest.raises(TypeError, match=r"needs a function that calls yield_\(\), not .* write yield_\(value\) for `yield value`"):
        generator(function)


@generator
def echo():
    """Yield what it is sent, and return it all."""
    received = []
    value = None
    while True:
        value = yield_(value)
        if value is None:
            return received
        received.append(value)


# --- iteration and depth ---------------------------------------------------------------------------------------------


def test_iteration_gives_what_the_function_yields():
    assert list(count_to(4)) == [1, 2, 3, 4]


def test_a_function_that_yields_nothing_is_an_empty_iterator():
    assert list(generator(lambda: None)()) == []


def test_the_function_begins_with_the_first_value_asked_for():
    begun = []
    g = generator(lambda: begun.append(1))()
    assert not begun
    assert next(g, "end") == "end"
    assert begun


def test_yield_at_any_depth_of_a_recursion():
    def walk(tree):
        if tree is not None:
            left, label, right = tree
            walk(left)
            yield_(label)
            walk(right)

    tree = ((None, 1, None), 2, ((None, 3, None), 4, None))
    assert list(generator(walk)(tree)) == [1, 2, 3, 4]


def test_yield_from_a_callback_of_c_code():
    @generator
    def keys(items):
        return sorted(items, key=lambda item: (yield_(item), -item)[1])

    g = keys([1, 3, 2])
    assert [next(g), next(g), next(g)] == [1, 3, 2]
    with pytest.raises(StopIteration) as end:
        next(g)
    assert end.value.value == [3, 2, 1]


def test_yield_without_argument_gives_none():
    @generator
    def one():
        yield_()

    assert list(one()) == [None]


def test_yield_takes_one_positional_argument():
    with pytest.raises(TypeError):
        yield_(1, 2)
    with pytest.raises(TypeError):
        yield_(value=1)


def test_arguments_reach_the_function():
    @generator
    def arguments(*args, **kwargs):
        yield_((args, kwargs))

    assert next(arguments()) == ((), {})
    assert next(arguments(1, 2, a=3)) == ((1, 2), {"a": 3})
    many = tuple(range(20))
    assert next(arguments(*many, x=1, y=2)) == (many, {"x": 1, "y": 2})


def test_wrong_arguments_are_noticed_by_the_call():
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        count_to()


def test_generators_side_by_side():
    assert list(zip(count_to(3), count_to(3))) == [(1, 1), (2, 2), (3, 3)]


def test_yield_belongs_to_the_innermost_generator():
    @generator
    def doubled(n):
        for value in count_to(n):
            yield_(value)
            yield_(value)

    assert list(doubled(2)) == [1, 1, 2, 2]


def test_many_generators_nested():
    @generator
    def nested(depth):
        if depth:
            for value in nested(depth - 1):
                yield_(value + 1)
        else:
            yield_(0)

    assert list(nested(100)) == [100]


def test_native_yield_from_delegates_to_one():
    def delegates():
        result = yield from echo()
        yield ("returned", result)

    g = delegates()
    assert next(g) is None
    assert g.send(1) == 1
    assert g.send(2) == 2
    assert next(g) == ("returned", [1, 2])


# --- send and return values ------------------------------------------------------------------------------------------


def test_send_is_the_result_of_yield():
    g = echo()
    assert next(g) is None
    assert g.send("a") == "a"
    assert g.send("b") == "b"
    with pytest.raises(StopIteration) as end:
        g.send(None)
    assert end.value.value == ["a", "b"]


def test_send_of_a_value_to_one_that_has_not_begun():
    g = echo()
    with pytest.raises(TypeError, match="can't send non-None value to a just-started generator"):
        g.send(1)
    assert next(g) is None


@pytest.mark.parametrize("value", [None, 0, (1, 2), (), LookupError("x"), StopIteration(3)], ids=repr)
def test_the_return_value_is_that_of_stop_iteration(value):
    @generator
    def returns():
        return value

    with pytest.raises(StopIteration) as end:
        next(returns())
    assert end.value.value is value


def test_a_finished_generator_stays_finished():
    g = count_to(1)
    assert list(g) == [1]
    for _ in range(2):
        with pytest.raises(StopIteration) as end:
            next(g)
        assert end.value.value is None
        with pytest.raises(StopIteration):
            g.send(1)
        with pytest.raises(LookupError):
            g.throw(LookupError)
        assert g.close() is None


# --- exceptions ------------------------------------------------------------------------------------------------------


def test_an_exception_of_the_function_reaches_the_caller_and_finishes_it():
    @generator
    def fails():
        yield_(1)
        raise LookupError("here")

    g = fails()
    assert next(g) == 1
    with pytest.raises(LookupError, match="here"):
        next(g)
    assert list(g) == []


@pytest.mark.parametrize("exception", [greenlet.GreenletExit, GeneratorExit, KeyboardInterrupt, SystemExit])
def test_so_does_one_that_ends_other_things(exception):
    @generator
    def fails():
        yield_(1)
        raise exception

    g = fails()
    next(g)
    with pytest.raises(exception):
        next(g)


def test_stop_iteration_becomes_a_runtime_error():
    stop = StopIteration("value")

    @generator
    def stops():
        yield_(1)
        raise stop

    g = stops()
    next(g)
    with pytest.raises(RuntimeError, match="generator raised StopIteration") as error:
        next(g)
    assert error.value.__cause__ is stop
    assert error.value.__context__ is stop
    assert [frame.name for frame in traceback.extract_tb(stop.__traceback__)][-1] == "stops"


def test_throw_raises_where_it_stopped():
    @generator
    def catches():
        try:
            yield_(1)
        except LookupError as error:
            yield_(error)
        return "end"

    error = LookupError("thrown")
    g = catches()
    assert next(g) == 1
    assert g.throw(error) is error
    with pytest.raises(StopIteration) as end:
        next(g)
    assert end.value.value == "end"


def test_what_is_thrown_and_not_caught_comes_back():
    g = count_to(3)
    next(g)
    error = LookupError()
    with pytest.raises(LookupError) as raised:
        g.throw(error)
    assert raised.value is error
    assert list(g) == []


def test_throw_into_one_that_has_not_begun_finishes_it():
    g = count_to(3)
    with pytest.raises(LookupError):
        g.throw(LookupError)
    assert list(g) == []


def test_throw_takes_a_class_a_value_and_a_traceback():
    try:
        raise KeyError
    except KeyError as error:
        tb = error.__traceback__
    g = count_to(3)
    next(g)
    with pytest.raises(LookupError, match="text") as raised:
        g.throw(LookupError, "text", tb)
    tbs = []
    walk = raised.value.__traceback__
    while walk is not None:
        tbs.append(walk)
        walk = walk.tb_next
    assert tbs[-1] is tb


@pytest.mark.parametrize("arguments", [(), (1,), (LookupError, 1, 2), (LookupError(), 1), (1, 2, 3, 4)], ids=repr)
def test_throw_of_what_is_no_exception(arguments):
    g = count_to(3)
    next(g)
    with pytest.raises(TypeError):
        g.throw(*arguments)
    assert next(g) == 2


def test_a_traceback_shows_all_frames_to_where_it_stopped():
    def inner():
        yield_(1)
        raise LookupError

    def outer():
        inner()

    g = generator(outer)()
    next(g)
    try:
        next(g)
    except LookupError as error:
        names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert names == [inspect.currentframe().f_code.co_name, "outer", "inner"]


def test_the_function_sees_the_exception_its_caller_handles():
    @generator
    def handled():
        while True:
            yield_(sys.exc_info()[1])

    g = handled()
    assert next(g) is None
    error = LookupError()
    try:
        raise error
    except LookupError:
        assert next(g) is error
        try:
            raise KeyError
        except KeyError as inner:
            assert next(g) is inner
        assert next(g) is error
    assert next(g) is None


def test_an_exception_has_that_one_as_its_context():
    def native():
        yield
        raise KeyError

    @generator
    def ours():
        yield_()
        raise KeyError

    contexts = []
    for function in (native, ours):
        g = function()
        next(g)
        try:
            raise LookupError("outer")
        except LookupError as outer:
            with pytest.raises(KeyError) as raised:
                next(g)
            contexts.append(raised.value.__context__ is outer)
    assert contexts == [True, True]


def test_the_caller_does_not_see_what_the_function_handles():
    @generator
    def handles():
        try:
            raise LookupError
        except LookupError:
            yield_(1)
            assert isinstance(sys.exc_info()[1], LookupError)
            yield_(2)

    g = handles()
    next(g)
    assert sys.exc_info()[1] is None
    next(g)
    assert sys.exc_info()[1] is None


def test_recursion_counts_on_top_of_the_caller():
    @generator
    def endless():
        for value in endless():
            yield_(value)

    with pytest.raises(RecursionError):
        list(endless())


# --- close and the end -----------------------------------------------------------------------------------------------


@generator
def logs_its_end(log):
    try:
        yield_(1)
        yield_(2)
    except BaseException as error:
        log.append(type(error))
        raise
    finally:
        log.append("finally")


def test_close_raises_generator_exit():
    log = []
    g = logs_its_end(log)
    next(g)
    assert g.close() is None
    assert log == [GeneratorExit, "finally"]
    assert list(g) == []
    assert g.close() is None


def test_close_of_one_that_has_not_begun_does_not_begin_it():
    log = []
    g = logs_its_end(log)
    assert g.close() is None
    assert log == []
    assert list(g) == []


def test_close_returns_what_the_function_returns():
    @generator
    def returns():
        try:
            yield_(1)
        except GeneratorExit:
            return "result"

    g = returns()
    next(g)
    assert g.close() == "result"


def test_close_passes_other_exceptions_on():
    @generator
    def fails():
        try:
            yield_(1)
        finally:
            raise LookupError

    g = fails()
    next(g)
    with pytest.raises(LookupError):
        g.close()


def test_close_of_one_that_yields_once_more():
    @generator
    def stubborn():
        try:
            yield_(1)
        except GeneratorExit:
            yield_(2)

    g = stubborn()
    next(g)
    with pytest.raises(RuntimeError, match="generator ignored GeneratorExit"):
        g.close()
    assert list(g) == []


def test_it_is_closed_when_the_last_reference_goes():
    log = []
    g = logs_its_end(log)
    next(g)
    del g
    assert log == [GeneratorExit, "finally"]


def test_it_is_closed_when_it_is_garbage():
    log = []

    @generator
    def refers_to_itself(box):
        itself = box.pop()
        yield_(1)
        assert itself is not None

    @generator
    def logging():
        try:
            box = []
            box.append(logs_its_end(log))
            yield_(box)
        finally:
            log.append("outer")

    g = logging()
    box = next(g)
    next(box[0])
    box.append(g)
    del box, g
    gc.collect()
    assert log.count("finally") == 1
    assert log.count("outer") == 1
    assert log.count(GeneratorExit) == 1


def test_an_exception_at_its_end_is_unraisable(monkeypatch):
    reports = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: reports.append((type(report.exc_value), report.object)))

    @generator
    def fails():
        try:
            yield_(1)
        finally:
            raise LookupError

    g = fails()
    next(g)
    del g
    assert [kind for kind, _ in reports] == [LookupError]


def test_what_its_frames_refer_to_goes_with_it():
    class Thing:
        pass

    @generator
    def holds(thing):
        yield_(1)
        del thing

    thing = Thing()
    gone = weakref.ref(thing)
    g = holds(thing)
    del thing
    next(g)
    assert gone() is not None
    g.close()
    gc.collect()
    assert gone() is None


def test_one_that_never_began_lets_go_of_its_arguments():
    class Thing:
        pass

    thing = Thing()
    gone = weakref.ref(thing)
    g = count_to(thing)
    del thing
    g.close()
    assert gone() is None


def test_a_suspended_one_does_not_keep_the_greenlet_alive_that_used_it():
    g = count_to(3)
    consumer = greenlet.greenlet(lambda: next(g))
    consumer.switch()
    gone = weakref.ref(consumer)
    del consumer
    assert gone() is None
    assert next(g) == 2


# --- the wrong use ---------------------------------------------------------------------------------------------------


def test_yield_outside_of_a_generator():
    with pytest.raises(RuntimeError, match="outside of a running generator"):
        yield_(1)
    assert list(count_to(1)) == [1]
    with pytest.raises(RuntimeError, match="outside of a running generator"):
        yield_(1)


def test_reentrance():
    @generator
    def reenters(how):
        yield_(1)
        how(g)

    for how in (next, lambda g: g.send(None), lambda g: g.throw(LookupError), lambda g: g.close()):
        g = reenters(how)
        next(g)
        with pytest.raises(ValueError, match="generator already executing"):
            next(g)


@pytest.mark.parametrize("use", [next, list], ids=["next", "list"])
def test_use_of_one_that_runs_does_not_change_how_its_end_is_told(use):
    # SystemError: send() was told as next() of an iterator is, by nothing.
    @generator
    def function():
        with pytest.raises(ValueError, match="already executing"):
            use(g)

    g = function()
    with pytest.raises(StopIteration):
        g.send(None)


def test_one_that_began_in_another_thread():
    g = count_to(3)
    assert in_thread(lambda: next(g)) == 1
    with pytest.raises(greenlet.error):
        next(g)


def test_one_that_did_not_begin_can_move_to_another_thread():
    g = count_to(3)
    assert in_thread(lambda: list(g)) == [1, 2, 3]


def test_one_released_in_another_thread_is_closed_in_its_own():
    @generator
    def says_where_it_ends():
        try:
            yield_(1)
        finally:
            ended.append(threading.get_ident())

    ended = []
    box = [says_where_it_ends()]
    next(box[0])
    so_far = in_thread(lambda: box.clear() or list(ended))
    # Where threads do not take turns, this one may already have noticed.
    assert so_far == [] or IS_FREE_THREADED
    getcurrent()
    assert ended == [threading.get_ident()]


def test_a_thread_may_end_with_suspended_ones():
    def leave_one():
        generators.append(count_to(3))
        next(generators[-1])

    generators = []
    in_thread(leave_one)
    with pytest.raises(greenlet.error):
        next(generators[0])
    generators.clear()


def test_threads_that_begin_one_at_once():
    # Two of them began it, where threads do not take turns: crash.
    @generator
    def function(*arguments, **named):
        begun.append(arguments)
        yield_(1)

    for _ in range(RACES):
        begun = []
        g = function([], named=[])
        begun_by_one_of_several_threads(lambda: next(g), 1)
        assert len(begun) == 1


def test_threads_that_begin_and_close_one_at_once():
    # One let go of the arguments that another began it with.
    @generator
    def function(*arguments, **named):
        begun.append(sys.getrefcount(arguments[0]) > 0)

    for _ in range(RACES):
        begun = []
        g = function([], [], [], named=[])
        use = [list, lambda g: g.close(), lambda g: g.throw(LookupError), lambda g: g.gi_frame]
        outcomes = outcomes_in_threads(lambda: use.pop()(g))
        assert len(begun) <= 1
        assert all(isinstance(outcome, (type(None), list, ValueError, LookupError, greenlet.error)) for outcome in outcomes)
        g.close()
        assert not g.gi_running


def test_threads_that_share_generators_and_coroutines():
    # Two seconds of it; tests/stress/generator_threads.py SECONDS does more.
    assert ", 0 wrong, " in output_of_stress("generator_threads.py", 2)


# --- with other greenlets --------------------------------------------------------------------------------------------


def test_it_can_be_resumed_by_different_greenlets():
    g = count_to(3)
    assert [greenlet.greenlet(lambda: next(g)).switch() for _ in range(3)] == [1, 2, 3]


def test_a_greenlet_that_the_function_started_can_yield():
    @generator
    def starts_another():
        def run(a):
            b = yield_(a)
            return yield_(b)

        return greenlet.greenlet(run).switch("first")

    g = starts_another()
    assert next(g) == "first"
    assert g.send("second") == "second"
    with pytest.raises(StopIteration) as end:
        g.send("third")
    assert end.value.value == "third"


def test_such_a_greenlet_gets_what_is_thrown_and_passes_it_on():
    log = []

    @generator
    def starts_another():
        def run():
            with contextlib.suppress(KeyError):
                yield_(1)
            try:
                yield_(2)
            finally:
                log.append("inner")

        try:
            greenlet.greenlet(run).switch()
        finally:
            log.append("outer")

    g = starts_another()
    next(g)
    assert g.throw(KeyError) == 2
    g.close()
    assert log == ["inner", "outer"]


def test_the_function_may_wait_in_another_greenlet():
    """As with an event loop in a greenlet: the function switches to it, and it switches back."""
    def loop():
        while True:
            waiting.pop().switch("event")

    waiting = []
    hub = greenlet.greenlet(loop)

    @generator
    def waits():
        for _ in range(2):
            waiting.append(getcurrent())
            yield_(hub.switch())

    assert list(waits()) == ["event", "event"]


def test_who_switches_to_the_caller_meanwhile_is_switched_on_to_the_function():
    main = getcurrent()
    log = []

    def hub_run():
        log.append(consumer.switch("for the consumer"))

    hub = greenlet.greenlet(hub_run, parent=main)

    @generator
    def waits():
        yield_(hub.switch())

    consumer = greenlet.greenlet(lambda: list(waits()))
    assert consumer.switch() == ["for the consumer"]


@pytest.fixture
def waiting_consumer():
    """A suspended greenlet that iterates over a generator, which waits in the middle of a value; and their log."""
    log = []
    main = getcurrent()

    @generator
    def waits():
        yield_(1)
        try:
            main.switch()
        finally:
            log.append("generator")

    def consume():
        try:
            for _ in waits():
                pass
        finally:
            log.append("consumer")

    box = [greenlet.greenlet(consume)]
    box[0].switch()
    return box, log


def test_so_is_an_exception_thrown_into_the_caller(waiting_consumer):
    (consumer,), log = waiting_consumer
    consumer.throw()
    assert consumer.dead
    assert log == ["generator", "consumer"]


@pytest.mark.skipif(sys.version_info < (3, 14), reason="the values that a call has on its stack are not known")
def test_both_are_collected_when_nobody_can_resume_them(waiting_consumer):
    box, log = waiting_consumer
    box.clear()
    gc.collect()
    assert log == ["generator", "consumer"]


@pytest.mark.skipif(sys.version_info < (3, 14), reason="the values that a call has on its stack are not known")
def test_the_generator_may_be_collected_before_the_greenlet_that_waits_for_it():
    # That one was gone when its parent was set again: crash.
    assert output_of(
        """
        import gc
        from greenlet import getcurrent, greenlet
        from greenlet.generators import generator, yield_

        main = getcurrent()

        @generator
        def older():
            yield_()
            try:
                main.switch()
            finally:
                print("generator")

        def consume(g):
            try:
                for _ in g:
                    pass
            finally:
                print("consumer")

        g = older()
        next(g)
        box = [greenlet(consume)]
        box[0].switch(g)
        del box, g
        gc.collect()
        """
    ) == "generator\nconsumer\n"


def test_a_greenlet_whose_parent_is_a_suspended_generator_may_resume_it():
    """Parents and resumers form a ring then."""
    @generator
    def starts_another():
        main = getcurrent().parent

        def run():
            main.switch("back")
            return list(g)

        child = greenlet.greenlet(run)
        children.append(child)
        yield_(child.switch())
        yield_("more")
        yield_(1)

    children = []
    g = starts_another()
    main = getcurrent()

    # The child switches to the main greenlet while the generator runs: the call is switched on to the generator.
    assert next(g) == "back"
    (child,) = children
    child.parent = main
    assert child.switch() == ["more", 1]


# --- context variables -----------------------------------------------------------------------------------------------

variable = contextvars.ContextVar("variable", default="default")


@generator
def get_and_set(*values):
    for value in values:
        yield_(variable.get())
        variable.set(value)
    yield_(variable.get())


def test_the_function_sees_and_changes_the_context_of_the_caller():
    def steps():
        g = get_and_set("a", "b")
        variable.set("mine")
        assert next(g) == "mine"
        variable.set("other")
        assert next(g) == "a"
        assert variable.get() == "a"
        variable.set("again")
        assert next(g) == "b"
        assert variable.get() == "b"

    contextvars.copy_context().run(steps)


def test_in_the_context_of_whoever_resumes_it():
    g = get_and_set("a", "b")
    first, second = contextvars.copy_context(), contextvars.copy_context()
    first.run(variable.set, "first")
    second.run(variable.set, "second")
    assert first.run(next, g) == "first"
    assert second.run(next, g) == "a"
    assert second[variable] == "a"
    assert first[variable] == "first"


def test_also_in_a_thread_that_never_had_a_context():
    def steps():
        g = get_and_set("a")
        next(g), next(g)
        return variable.get()

    assert in_thread(steps) == "a"


def test_yield_inside_context_run_leaves_the_context_of_the_caller_alone():
    inner = contextvars.copy_context()

    @generator
    def enters():
        def run():
            variable.set("inner")
            yield_(1)
            assert variable.get() == "inner"

        inner.run(run)
        yield_(variable.get())

    def steps():
        variable.set("outer")
        g = enters()
        next(g)
        assert variable.get() == "outer"
        assert next(g) == "outer"

    contextvars.copy_context().run(steps)
    assert inner[variable] == "inner"


def test_the_context_does_not_live_longer_for_it():
    g = get_and_set("a", "b")
    context = contextvars.copy_context()
    context.run(next, g)
    before = sys.getrefcount(context)
    context.run(next, g)
    assert sys.getrefcount(context) == before
    assert gc.get_referrers(context) == [] or g not in gc.get_referrers(context)


# --- what is decorated -----------------------------------------------------------------------------------------------


def test_methods():
    class Numbers:
        limit = 2

        @generator
        def of_instance(self, start=0):
            for i in range(start, self.limit):
                yield_(i)

        @classmethod
        @generator
        def of_class(cls):
            yield_(cls)

        @generator
        @classmethod
        def of_class_too(cls):
            yield_(cls)

        @staticmethod
        @generator
        def static(x):
            yield_(x)

        @generator
        @staticmethod
        def static_too(x):
            yield_(x)

    class More(Numbers):
        limit = 3

    assert list(Numbers().of_instance()) == [0, 1]
    assert list(More().of_instance(start=1)) == [1, 2]
    bound = More().of_instance
    assert list(bound(2)) == [2]
    assert list(Numbers.of_instance(More())) == [0, 1, 2]
    assert list(More.of_class()) == list(More().of_class_too()) == [More]
    assert list(Numbers.static(5)) == list(Numbers().static_too(5)) == [5]


def test_the_decorated_function_keeps_its_name_documentation_and_signature():
    def function(a, *, b: int = 1) -> None:
        """What it does."""

    function.attribute = "x"
    made = generator(function)
    assert made.__name__ == "function"
    assert made.__qualname__ == function.__qualname__
    assert made.__doc__ == "What it does."
    assert made.__module__ == __name__
    assert made.__wrapped__ is function
    assert made.attribute == "x"
    assert inspect.signature(made) == inspect.signature(function)
    assert "function" in repr(made)
    assert weakref.ref(made)() is made


def test_any_callable_can_be_decorated():
    class Callable:
        def __call__(self, n):
            yield_(n)

    assert list(generator(Callable())(3)) == [3]
    assert list(generator(yield_)(4)) == [4]


def test_what_is_not_callable_can_not():
    with pytest.raises(TypeError):
        generator(3)


# --- attributes ------------------------------------------------------------------------------------------------------


def test_state_attributes():
    @generator
    def looks():
        yield_((g.gi_running, g.gi_suspended, g.gi_frame))

    g = looks()
    assert (g.gi_running, g.gi_suspended, g.gi_frame) == (False, False, None)
    assert next(g) == (True, False, None)
    assert (g.gi_running, g.gi_suspended) == (False, True)
    assert list(g) == []
    assert (g.gi_running, g.gi_suspended, g.gi_frame) == (False, False, None)


def test_gi_frame_is_where_it_stopped():
    def inner():
        here = "inner"
        yield_(here)

    @generator
    def outer():
        inner()

    g = outer()
    next(g)
    frame = g.gi_frame
    assert isinstance(frame, types.FrameType)
    assert frame.f_code is inner.__code__
    assert frame.f_locals == {"here": "inner"}
    assert frame.f_back.f_code is outer.__wrapped__.__code__
    assert frame.f_back.f_back is None


def test_there_is_no_frame_to_show_while_its_greenlet_runs_all_the_same():
    # Somebody switched to that. The frames it had been suspended with were looked for: crash.
    @generator
    def function():
        bodies.append(getcurrent())
        yield_(1)
        frames.append(g.gi_frame)

    bodies, frames = [], []
    g = function()
    next(g)
    bodies[0].switch()
    assert frames == [None]


def test_names():
    g = count_to(1)
    assert g.__name__ == "count_to"
    assert g.__qualname__ == "count_to"
    assert g.gi_code is count_to.__wrapped__.__code__
    assert g.gi_yieldfrom is None
    assert repr(g).startswith("<generator object count_to at 0x")
    g.__name__ = "other"
    g.__qualname__ = "some.other"
    assert (g.__name__, g.__qualname__) == ("other", "some.other")
    assert repr(g).startswith("<generator object some.other at 0x")
    with pytest.raises(TypeError):
        g.__name__ = 1
    with pytest.raises(TypeError):
        del g.__qualname__


def test_it_is_a_generator_for_the_abstract_base_classes():
    g = count_to(1)
    assert isinstance(g, collections.abc.Generator)
    assert iter(g) is g
    assert weakref.ref(g)() is g
    assert Generator[int, None, None].__origin__ is Generator
    with pytest.raises(TypeError):
        Generator()


def test_contextmanager_of_one():
    log = []

    @contextlib.contextmanager
    @generator
    def manager():
        try:
            yield_("value")
        except LookupError:
            log.append("caught")
        log.append("end")

    with manager() as value:
        assert value == "value"
        raise LookupError
    with manager():
        pass
    assert log == ["caught", "end", "end"]


# --- memory ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("use", [
    pytest.param(lambda: list(count_to(3)), id="to the end"),
    pytest.param(lambda: next(count_to(3)), id="dropped"),
    pytest.param(lambda: count_to(3), id="never begun"),
    pytest.param(lambda: pytest.raises(TypeError, next, count_to("wrong")), id="failed"),
])
def test_nothing_is_left_behind(use):
    def count():
        gc.collect()
        return sum(isinstance(o, (Generator, greenlet.greenlet)) for o in gc.get_objects())

    use()
    before = count()
    for _ in range(20):
        use()
    assert count() <= before


def test_threads_share_nothing():
    def work():
        for _ in range(200):
            results.append(sum(count_to(20)))

    results = []
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [210] * 800


def raise_and_catch(*arguments):
    with contextlib.suppress(ValueError):
        int("x")


@pytest.mark.timeout(60, method="thread")
@pytest.mark.parametrize("tracer", [None, raise_and_catch])
def test_generators_that_wait_for_each_other(tracer):
    # The greenlets of both were switched to in turns for ever. For a tracer that raised an exception, CPython looked for ever for
    # one that was being handled.
    @generator
    def outer():
        gives = greenlet.greenlet(lambda: yield_("given by another one"))
        greenlets.append(gives)
        try:
            next(inner_generator)
        except greenlet.error as error:
            errors.append(str(error))

    @generator
    def inner():
        greenlets.append(getcurrent())
        greenlets[0].switch()
        errors.extend(outer_generator)

    greenlets, errors = [], []
    outer_generator, inner_generator = outer(), inner()
    assert next(outer_generator) == "given by another one"
    greenlet.settrace(tracer)
    try:
        greenlets[1].switch()
    finally:
        greenlet.settrace(None)
    assert errors == ["the generator waits for the greenlet that resumed it"]
    assert list(outer_generator) == []


def test_a_tracer_that_has_the_generator_give_a_value_to_itself():
    # Its consumer took the generator for finished, and let go of what it runs in.
    @generator
    def function():
        bodies.append(getcurrent())
        main.switch()
        yield_("for the tracer")
        yield_("for the consumer")

    def trace(event, greenlets):
        if greenlets[1] is consumer and bodies:
            given.append(bodies.pop().switch())

    main = getcurrent()
    bodies, given = [], []
    g = function()
    consumer = greenlet.greenlet(lambda: [next(g), next(g), next(g, "end")])
    consumer.switch()
    greenlet.settrace(trace)
    try:
        values = consumer.switch("from somebody else")
    finally:
        greenlet.settrace(None)
    assert given == ["for the tracer"]
    assert values == ["from somebody else", "for the consumer", "end"]


def test_a_tracer_that_has_the_generator_run_for_somebody_else():
    # The one that had begun it took it for one that could not be begun, and let go of what it runs in: crash.
    @generator
    def function():
        bodies.append(getcurrent())
        main.switch()
        yield_("for the tracer")
        main.switch("runs for the other one")
        yield_("for the other one")

    def trace(event, greenlets):
        if greenlets[1] is consumer and bodies:
            assert bodies.pop().switch() == "for the tracer"
            other.switch()

    main = getcurrent()
    bodies = []
    g = function()
    consumer = greenlet.greenlet(lambda: next(g))
    other = greenlet.greenlet(lambda: next(g))
    consumer.switch()
    greenlet.settrace(trace)
    try:
        assert consumer.switch("from somebody else") == "runs for the other one"
        assert consumer.switch() == "from somebody else"
    finally:
        greenlet.settrace(None)
    assert g.gi_running
    assert other.switch() == "for the other one"


def test_what_gave_the_last_value_may_close_the_generator_when_it_goes():
    # It was let go of after the generator had been looked at: crash.
    class Closes:
        def __del__(self):
            closed.append(g.close())

    def give():
        getcurrent().closes = Closes()
        yield_(1)

    @generator
    def function():
        givers.append(greenlet.greenlet(give))
        main.switch()

    main = getcurrent()
    givers, closed = [], []
    g = function()
    greenlet.greenlet(lambda: next(g)).switch()
    assert givers[0].switch() == 1
    givers[0].parent = main
    givers[0].throw()
    givers.clear()
    assert not closed
    with pytest.raises(ValueError, match="already executing"):
        next(g)
    assert closed == [None]


def test_random_programs_with_destructors_and_tracers_that_use_generators():
    assert output_of_stress("generators.py", 0, 300) == "300 programs survived\n"


def test_a_long_chain_of_those_that_have_not_begun_is_let_go_of():
    # The deallocation of each was part of that of the one before: the C stack overflowed.
    assert output_of("""
        from greenlet.generators import generator

        @generator
        def function(other):
            pass

        g = None
        for _ in range(300_000):
            g = function(g)
        del g
        print("done")
    """) == "done\n"
