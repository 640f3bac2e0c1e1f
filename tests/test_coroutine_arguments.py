"""Arguments of generators and coroutines: refused, and let go of, as those of native ones are."""

import asyncio
import gc
import inspect
import random
import sys
import traceback
import weakref

import pytest
from greenlet.aio import async_, await_, run
from greenlet.generators import generator, yield_
from support import IS_DEBUG_BUILD, IS_FREE_THREADED

NAMES = ["a", "b", "c", "d"]


def random_signature(choose):
    """The text of a list of parameters."""
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
    """What a call raises, or 'made'; natively and here."""
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
        exec(f"def native({signature}): yield\nasync def coroutine({signature}): pass\nasync def asynchronous({signature}): yield",
             namespace)
        exec(f"def function({signature}): pass\ndef generator_function({signature}): yield", namespace)
        native, function = namespace["native"], namespace["function"]
        for made_of in (function, namespace["generator_function"], native, namespace["coroutine"], namespace["asynchronous"]):
            made_of.__name__ = made_of.__qualname__ = "named"
        for _ in range(4):
            args = tuple(range(choose.randint(0, 4)))
            kwargs = {name: 0 for name in choose.sample([*NAMES, "other"], choose.randint(0, 3))}
            expected = outcome(lambda: native(*args, **kwargs))
            refused += expected != "made"
            calls = [lambda: generator(function)(*args, **kwargs), lambda: run(function, *args, **kwargs),
                     lambda: async_(function)(*args, **kwargs), lambda: async_(generator(function))(*args, **kwargs),
                     lambda: async_(namespace["generator_function"])(*args, **kwargs)]
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


@pytest.mark.parametrize("call", [
    Methods().method, Methods.of_class, Methods.static, Methods().asynchronous, lambda *args: run(Methods().plain, *args),
])
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
            "test_the_traceback_of_a_refusal_ends_where_the_call_is", "<lambda>"}


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


@pytest.mark.parametrize("is_asked", [inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction])
def test_what_async_makes_is_what_it_is_to_inspect(is_asked):
    def native():
        yield 1

    assert is_asked(async_(lambda: 1)) == (is_asked is inspect.iscoroutinefunction)
    assert is_asked(async_(native)) == (is_asked is inspect.isasyncgenfunction)
    assert is_asked(async_(generator(lambda: 1))) == (is_asked is inspect.isasyncgenfunction)
    assert inspect.isfunction(async_(lambda: 1))
