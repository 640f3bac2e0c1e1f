"""Decorating different callables, and the attributes of generators."""

import collections.abc
import contextlib
import functools
import inspect
import sys
import types
import weakref

import pytest
from support.generators import count_to

from greenlet import getcurrent
from greenlet.generators import Generator, generator, yield_


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


@pytest.mark.parametrize(
    "function",
    [
        native,
        coroutine,
        asynchronous,
        types.coroutine(native),
        Natives().method,
        Natives.of_class,
        functools.partial(native),
        functools.partial(functools.partial(Natives().method)),
        classmethod(native),
        staticmethod(coroutine),
    ],
    ids=repr,
)
def test_a_function_that_makes_something_else_than_a_call_is_refused_with_what_to_write(function):
    with pytest.raises(
        TypeError, match=r"needs a function that calls yield_\(\), not .* write yield_\(value\) for `yield value`"
    ):
        generator(function)


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
    made = generator(Callable())(3)
    assert (made.__name__, made.__qualname__) == ("Callable", Callable.__qualname__)
    assert repr(made).startswith(f"<generator object {Callable.__qualname__} at 0x")


def test_what_is_not_callable_can_not():
    with pytest.raises(TypeError):
        generator(3)


def test_state_attributes():
    @generator
    def looks():
        yield_(state() + (g.gi_frame is sys._getframe(),))

    def state():
        assert inspect.getgeneratorstate(g) == g.gi_state
        return g.gi_state, g.gi_running, g.gi_suspended

    g = looks()
    assert state() == ("GEN_CREATED", False, False)
    assert g.gi_frame.f_code is looks.__wrapped__.__code__
    assert next(g) == ("GEN_RUNNING", True, False, True)
    assert state() == ("GEN_SUSPENDED", False, True)
    assert g.gi_frame.f_code is looks.__wrapped__.__code__
    assert list(g) == []
    assert state() == ("GEN_CLOSED", False, False)
    assert g.gi_frame is None


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
    # A switch to the generator's greenlet resumed it. Its suspended frames were once looked up then: crash.
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
