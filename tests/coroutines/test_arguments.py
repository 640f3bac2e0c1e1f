"""Arguments of generators and coroutines are rejected and released like those of native ones."""

import asyncio
import gc
import inspect
import random
import sys
import traceback
import weakref

import pytest
from support.environment import IS_DEBUG_BUILD, IS_FREE_THREADED

from greenlet.aio import async_, await_, run
from greenlet.generators import generator, yield_

NAMES = ["a", "b", "c", "d"]


def random_signature(choose):
    """Return the text of a random list of parameters."""
    parts, names = [], list(NAMES)
    choose.shuffle(names)
    positional = choose.randint(0, 3)
    positional_only = choose.choice([0, 0, choose.randint(0, positional)])
    with_default = choose.randint(0, positional)
    for i in range(positional):
        if i == positional_only and i > 0:
            parts.append("/")
        parts.append(names[i] + (" = 0" if i >= positional - with_default else ""))
    if positional and positional_only == positional:
        parts.append("/")
    if choose.random() < 0.4:
        parts.append(choose.choice(["*args", "*"]) + ", " + names[3] + choose.choice(["", " = 0"]))
    if choose.random() < 0.3:
        parts.append("**kwargs")
    return ", ".join(parts)


def outcome(call):
    """Return the message of the TypeError that a call raises, or 'made'."""
    try:
        made = call()
    except TypeError as error:
        return str(error)
    if hasattr(made, "close"):
        made.close()
    return "made"


def test_arguments_that_do_not_fit_are_refused_by_the_call_as_by_a_native_one():
    choose = random.Random(5)
    refused = 0
    for _ in range(600):
        signature = random_signature(choose)
        namespace = {}
        exec(
            f"def native({signature}): yield\nasync def coroutine({signature}): pass\nasync def asynchronous({signature}): yield",
            namespace,
        )
        exec(f"def function({signature}): pass\ndef generator_function({signature}): yield", namespace)
        native, function = namespace["native"], namespace["function"]
        for made_of in (
            function,
            namespace["generator_function"],
            native,
            namespace["coroutine"],
            namespace["asynchronous"],
        ):
            made_of.__name__ = made_of.__qualname__ = "named"
        for _ in range(4):
            args = tuple(range(choose.randint(0, 4)))
            kwargs = dict.fromkeys(choose.sample([*NAMES, "other"], choose.randint(0, 3)), 0)
            expected = outcome(lambda: native(*args, **kwargs))
            refused += expected != "made"
            calls = [
                lambda: generator(function)(*args, **kwargs),
                lambda: run(function, *args, **kwargs),
                lambda: async_(function)(*args, **kwargs),
                lambda: async_(generator(function))(*args, **kwargs),
                lambda: async_(namespace["generator_function"])(*args, **kwargs),
            ]
            for call in calls:
                assert outcome(call) == expected, (signature, args, kwargs)
    assert 300 < refused < 2300


class Methods:
    @generator
    def method(self, a):
        yield_(a)

    @classmethod
    @generator
    def of_class(cls, a):
        yield_(a)

    @staticmethod
    @generator
    def static(a):
        yield_(a)

    @async_
    def asynchronous(self, a):
        return a

    def plain(self, a):
        return a


@pytest.mark.parametrize(
    "call",
    [
        Methods().method,
        Methods.of_class,
        Methods.static,
        Methods().asynchronous,
        lambda *args: run(Methods().plain, *args),
    ],
)
def test_so_are_those_of_methods(call):
    outcome_of_one = call(1)
    outcome_of_one.close()
    with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'a'"):
        call()
    with pytest.raises(TypeError, match=r"takes \d positional arguments? but \d were given"):
        call(1, 2)


def test_the_traceback_of_a_refusal_ends_where_the_call_is():
    def function(a):
        pass

    for call in (generator(function), lambda: run(function)):
        with pytest.raises(TypeError) as caught:
            call()
        assert {frame.name for frame in traceback.extract_tb(caught.tb)} <= {
            "test_the_traceback_of_a_refusal_ends_where_the_call_is",
            "<lambda>",
        }


def test_defaults_are_those_of_the_moment():
    def function(a):
        yield_(a)

    made = generator(function)
    with pytest.raises(TypeError, match="missing"):
        made()
    function.__defaults__ = (5,)
    assert next(made()) == 5


def test_names_that_are_cells_and_names_of_a_subclass_of_str():
    class Name(str):
        pass

    @generator
    def function(a, *, b):
        yield_((lambda: (a, b))())

    assert list(function(**{Name("a"): 1, Name("b"): 2})) == [(1, 2)]
    with pytest.raises(TypeError, match="unexpected keyword argument 'c'"):
        function(1, b=2, **{Name("c"): 3})
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'b'"):
        function(1)


def test_other_callables_find_out_when_they_are_called():
    g = generator(int)(1, 2, 3)
    with pytest.raises(TypeError):
        next(g)
    coroutine = run(int, 1, 2, 3)
    with pytest.raises(TypeError):
        coroutine.send(None)


@pytest.mark.parametrize(
    "is_asked", [inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction]
)
def test_what_async_makes_is_what_it_is_to_inspect(is_asked):
    def native():
        yield 1

    assert is_asked(async_(lambda: 1)) == (is_asked is inspect.iscoroutinefunction)
    assert is_asked(async_(native)) == (is_asked is inspect.isasyncgenfunction)
    assert is_asked(async_(generator(lambda: 1))) == (is_asked is inspect.isasyncgenfunction)
    assert inspect.isfunction(async_(lambda: 1))


# --- when they are released -----------------------------------------------------------------------------------------

GIVES_UP = not (IS_DEBUG_BUILD or IS_FREE_THREADED)
only_where_given_up = pytest.mark.skipif(not GIVES_UP, reason="these builds do not release arguments early")


class Chunk:
    pass


def log_of_arguments(make, number):
    """Record which arguments are alive before and after `del`, as seen within the function and outside."""
    log, alive = [], []

    def note(*text):
        log.append((*text, [reference() is not None for reference in alive]))

    def chunks():
        made = [Chunk() for _ in range(number)]
        alive.extend(map(weakref.ref, made))
        return made

    g = make(note)(*chunks())
    note("made")
    g.send(None)
    note("suspended")
    try:
        g.send(None)
    except StopIteration:
        pass
    note("ended")
    return log


SOURCE = """
def make(note):
    {async_}def function({parameters}):
        note("begun")
        del {first}
        note("deleted")
        {pause}
        note("resumed")
    return {decorate}
"""


def sourced(number, async_="", pause="yield", decorate="function"):
    parameters = [f"p{i}" for i in range(number)]
    namespace = {
        "generator": generator,
        "yield_": yield_,
        "await_": await_,
        "run": run,
        "asynchronous": async_,
        "sleep": asyncio.sleep,
        "async_": globals()["async_"],
    }
    exec(
        SOURCE.format(
            async_=async_, parameters=", ".join(parameters), first=parameters[0], pause=pause, decorate=decorate
        ),
        namespace,
    )
    return namespace["make"]


@only_where_given_up
@pytest.mark.parametrize(
    "number",
    [
        1,
        2,
        6,
        7,
        8,
        pytest.param(9, marks=pytest.mark.skipif(sys.version_info >= (3, 14), reason="more than eight are kept")),
        pytest.param(64, marks=pytest.mark.skipif(sys.version_info >= (3, 14), reason="more than eight are kept")),
    ],
)
def test_arguments_are_released_when_those_of_a_native_function_are(number):
    native = log_of_arguments(sourced(number), number)
    assert native[2][:2] == ("deleted", [False] + [True] * (number - 1))
    assert log_of_arguments(sourced(number, pause="yield_()", decorate="generator(function)"), number) == native
    native = log_of_arguments(sourced(number, "async ", "await sleep(0)"), number)
    for decorate in ("lambda *args: run(function, *args)", "async_(function)"):
        assert log_of_arguments(sourced(number, pause="await_(sleep(0))", decorate=decorate), number) == native


@only_where_given_up
def test_so_are_those_of_methods_and_keyword_arguments():
    class Holder:
        @generator
        def method(self, a, *, b):
            del a
            yield_(first() is None)
            del b
            yield_(second() is None)

    chunks = [Chunk(), Chunk()]
    first, second = map(weakref.ref, chunks)
    g = Holder().method(chunks.pop(0), b=chunks.pop())
    assert list(g) == [True, True]


def test_many_arguments_and_all_kinds_of_callables_get_what_they_are_given():
    for number in (0, 1, 6, 7, 8, 9, 63, 64, 65, 2000):
        chunks = [Chunk() for _ in range(number)]
        counts = [sys.getrefcount(chunk) for chunk in chunks]
        for function in (
            lambda *args: yield_(args),
            type("C", (), {"method": lambda self, *args: yield_(args)})().method,
        ):
            g = generator(function)(*chunks)
            assert next(g) == tuple(chunks)
            assert list(g) == []
            del g
            assert [sys.getrefcount(chunk) for chunk in chunks] == counts
        coroutine = run(lambda *args, last: (args, last), *chunks, last=chunks)
        with pytest.raises(StopIteration) as stop:
            coroutine.send(None)
        assert stop.value.value == (tuple(chunks), chunks)
        del stop, coroutine
        gc.collect()
        assert [sys.getrefcount(chunk) for chunk in chunks] == counts


def test_the_same_object_for_several_arguments():
    chunk = Chunk()
    count = sys.getrefcount(chunk)
    for _ in range(100):
        g = generator(lambda a, b, c: yield_(a is b is c))(chunk, chunk, c=chunk)
        assert list(g) == [True]
        del g
    assert sys.getrefcount(chunk) == count


def test_a_yielded_value_belongs_to_the_consumer_alone():
    def native():
        yield Chunk()
        chunk = Chunk()
        yield chunk
        yield [chunk][0]
        del chunk
        yield Chunk()

    def ours():
        yield_(Chunk())
        chunk = Chunk()
        yield_(chunk)
        yield_([chunk][0])
        del chunk
        for value in map(yield_, [Chunk()]):
            assert value is None

    def alive(g):
        states = []
        for value in g:
            reference = weakref.ref(value)
            del value
            states.append(reference() is not None)
        return states

    assert alive(native()) == [False, True, True, False]
    assert alive(generator(ours)())[:3] == [False, True, True]


@pytest.mark.parametrize(
    "call",
    [
        lambda value: yield_(value),
        lambda value: yield_(*[value]),
        lambda value: [*map(yield_, [value])],
        lambda value: __import__("functools").partial(yield_)(value),
        lambda value: __import__("functools").partial(yield_, value)(),
        lambda value: __import__("types").MethodType(yield_, value)(),
        lambda value: sorted([value], key=yield_),
        lambda value: __import__("operator").call(yield_, value),
        lambda value: {1: yield_(value)},
    ],
    ids=range(9),
)
def test_any_way_to_call_yield_keeps_the_counts_of_references(call):
    chunk = Chunk()
    count = sys.getrefcount(chunk)
    for _ in range(50):
        assert list(generator(call)(chunk)) == [chunk]
    g = generator(call)(chunk)
    assert next(g) is chunk
    gc.collect()
    g.close()
    del g
    gc.collect()
    assert sys.getrefcount(chunk) == count


def test_events_of_calls_see_an_argument_of_yield_all_the_same():
    if not hasattr(sys, "monitoring"):
        pytest.skip("no sys.monitoring")
    seen = []
    monitoring = sys.monitoring
    monitoring.use_tool_id(3, "test")
    try:
        monitoring.register_callback(
            3, monitoring.events.C_RETURN, lambda code, offset, function, argument: seen.append(argument)
        )
        monitoring.register_callback(
            3, monitoring.events.CALL, lambda code, offset, function, argument: seen.append(argument)
        )
        monitoring.set_events(3, monitoring.events.CALL)
        assert [type(value) for value in generator(lambda: yield_(Chunk()))()] == [Chunk]
    finally:
        monitoring.set_events(3, 0)
        monitoring.free_tool_id(3)
    assert any(isinstance(argument, Chunk) for argument in seen)


def test_await_releases_an_awaitable_as_await_does():
    class Awaitable:
        def __await__(self):
            return iter([None])

    def alive(make):
        states, references = [], []

        def made():
            awaitable = Awaitable()
            references.append(weakref.ref(awaitable))
            return awaitable

        coroutine = make(made)
        coroutine.send(None)
        states.append(references[0]() is not None)
        coroutine.close()
        return states

    async def native(made):
        await made()

    assert alive(lambda made: run(lambda: await_(made()))) == alive(native) == [False]
