"""iter_() and with_(): asynchronous iterators and context managers in ordinary functions."""

import asyncio
import contextlib
import copy
import functools
import pickle

import pytest
from support.event_loops import NO_PORTAL, count_to

from greenlet.aio import await_, iter_, run, with_
from greenlet.generators import generator, yield_


def test_iter_over_an_asynchronous_generator():
    assert asyncio.run(run(lambda: [i for i in iter_(count_to(3))])) == [0, 1, 2]


def test_iter_over_any_asynchronous_iterable():
    class Countdown:
        def __init__(self, n):
            self.n = n

        def __aiter__(self):
            return self

        async def __anext__(self):
            if not self.n:
                raise StopAsyncIteration
            self.n -= 1
            return self.n

    assert asyncio.run(run(list, iter_(Countdown(3)))) == [2, 1, 0]


def test_iter_passes_exceptions_on():
    async def fails():
        yield 1
        raise LookupError

    def function():
        values = []
        with pytest.raises(LookupError):
            for value in iter_(fails()):
                values.append(value)
        return values

    assert asyncio.run(run(function)) == [1]


@pytest.mark.parametrize("iterable", [1, [1], iter(())], ids=repr)
def test_iter_over_what_is_not_asynchronous(iterable):
    with pytest.raises(TypeError):
        iter_(iterable)


def test_iter_over_one_whose_class_changes():
    # The iterator once called the slot that the class had had at first: crash.
    class Ones:
        def __aiter__(self):
            return self

        async def __anext__(self):
            return 1

    def function():
        ones = iter_(Ones())
        assert next(ones) == 1
        del Ones.__anext__
        with pytest.raises(TypeError, match="'Ones' object is no longer an asynchronous iterator"):
            next(ones)

    asyncio.run(run(function))


def test_iter_without_a_portal():
    iterator = iter_(count_to(3))
    assert iter(iterator) is iterator
    with pytest.raises(RuntimeError, match=NO_PORTAL):
        next(iterator)


class Manager:
    def __init__(self, suppresses=False):
        self.log = []
        self.suppresses = suppresses

    async def __aenter__(self):
        await asyncio.sleep(0)
        self.log.append("enter")
        return self

    async def __aexit__(self, *exception):
        await asyncio.sleep(0)
        self.log.append(("exit", exception[0]))
        return self.suppresses


def test_with_enters_and_leaves():
    def function():
        manager = Manager()
        with with_(manager) as value:
            assert value is manager
        return manager.log

    assert asyncio.run(run(function)) == ["enter", ("exit", None)]


@pytest.mark.parametrize("suppresses", [True, False])
def test_with_an_exception(suppresses):
    def function():
        manager = Manager(suppresses)
        with contextlib.nullcontext() if suppresses else pytest.raises(LookupError):
            with with_(manager):
                raise LookupError
        return manager.log

    assert asyncio.run(run(function)) == ["enter", ("exit", LookupError)]


def test_with_closes_an_asynchronous_generator():
    async def closes():
        try:
            yield 1
            yield 2
        finally:
            log.append("closed")

    def function():
        with with_(contextlib.aclosing(closes())) as values:
            for _ in iter_(values):
                break
        return list(log)

    log = []
    assert asyncio.run(run(function)) == ["closed"]


def test_with_what_is_no_asynchronous_manager():
    with pytest.raises(TypeError, match="is not an asynchronous context manager"):
        with_(contextlib.nullcontext)


def test_with_without_a_portal():
    with pytest.raises(RuntimeError, match=NO_PORTAL):
        with with_(Manager()):
            pass


async def echo_asynchronously(log):
    value = None
    try:
        while True:
            try:
                value = yield value
            except KeyError as error:
                value = error
            await asyncio.sleep(0)
            if value == "end":
                return
    finally:
        await asyncio.sleep(0)
        log.append("closed")


def test_an_iterator_sends_to_throws_into_and_closes_an_asynchronous_generator():
    log = []

    def function():
        iterator = iter_(echo_asynchronously(log))
        assert iterator.send(None) is None
        assert iterator.send(1) == 1
        error = KeyError("x")
        assert iterator.throw(error) is error
        assert isinstance(iterator.throw(KeyError), KeyError)
        assert next(iterator) is None
        assert iterator.close() is None
        assert log == ["closed"]
        assert list(iterator) == []
        other = iter_(echo_asynchronously(log))
        next(other)
        with pytest.raises(StopIteration):
            other.send("end")
        with pytest.raises(StopIteration):
            other.send(None)
        last = iter_(echo_asynchronously(log))
        next(last)
        with pytest.raises(ValueError, match="thrown"):
            last.throw(ValueError("thrown"))
        with pytest.raises(TypeError):
            last.throw(1)
        with pytest.raises(TypeError):
            last.throw()

    asyncio.run(run(function))
    assert log == ["closed"] * 3


def test_yield_from_an_iterator_of_one():
    log = []

    def function():
        def delegating():
            yield from iter_(echo_asynchronously(log))

        generator = delegating()
        assert next(generator) is None
        assert generator.send(3) == 3
        error = KeyError("x")
        assert generator.throw(error) is error
        generator.close()
        assert log == ["closed"]

    asyncio.run(run(function))


def test_an_iterator_of_what_is_no_generator():
    class Numbers:
        def __aiter__(self):
            return self

        async def __anext__(self):
            return 1

    def function():
        iterator = iter_(Numbers())
        assert iterator.send(None) == 1
        with pytest.raises(AttributeError, match="asend"):
            iterator.send(2)
        with pytest.raises(KeyError, match="thrown"):
            iterator.throw(KeyError("thrown"))
        assert iterator.close() is None
        assert next(iterator) == 1

    asyncio.run(run(function))


@pytest.mark.parametrize(
    "use",
    [
        lambda iterator: iterator.send(1),
        lambda iterator: iterator.throw(KeyError),
        lambda iterator: iterator.close(),
    ],
)
def test_these_methods_need_a_portal(use):
    with pytest.raises(RuntimeError, match=NO_PORTAL):
        use(iter_(echo_asynchronously([])))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("begun", [False, True])
def test_nothing_with_a_stack_can_be_pickled_or_copied(protocol, begun):
    coroutine = run(lambda: await_(asyncio.sleep(0)))
    numbers = generator(lambda: yield_(1))()
    if begun:
        coroutine.send(None)
        next(numbers)
    iterator = iter_(echo_asynchronously([]))
    for made in (coroutine, numbers, iterator):
        for operation in (functools.partial(pickle.dumps, protocol=protocol), copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="cannot pickle"):
                operation(made)
    coroutine.close()


@generator
def of_the_module():
    yield_(1)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_generator_function_is_pickled_and_copied_as_functions_are(protocol):
    assert pickle.loads(pickle.dumps(of_the_module, protocol)) is of_the_module
    assert copy.copy(of_the_module) is copy.deepcopy(of_the_module) is of_the_module
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(generator(lambda: None), protocol)
