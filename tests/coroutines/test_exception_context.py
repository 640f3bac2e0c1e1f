"""`__context__` of exceptions that enter a suspended body from outside, compared with native generators and coroutines.

Each random program runs twice, with `yield` or `await` and with our functions. Both runs must log the same: each
exception that is caught, inside or outside, with its chain.
"""

import asyncio
import contextlib
import gc
import random
import textwrap
import types

import pytest

from greenlet import greenlet
from greenlet.aio import async_, await_, run
from greenlet.generators import generator, yield_


class Failure(Exception):
    pass


def chain(error):
    """Return an exception and its chain of contexts as text."""
    links = []
    while error is not None and len(links) < 20:
        cause = "" if error.__cause__ is None else f" from {error.__cause__!r}"
        links.append(f"{error!r}{cause}{' alone' if error.__suppress_context__ else ''}")
        error = error.__context__
    return " < ".join(links)


class Manager:
    """Logs the exception that leaves the block; swallows it or raises another one, depending on its number."""

    def __init__(self, log, number):
        self.log, self.number = log, number

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        self.log.append(f"exit {self.number}: {chain(error)}")
        if self.number % 5 == 0:
            raise Failure(f"exit {self.number}")
        return self.number % 5 == 1


class Iterator:
    """An awaitable without throw() and close()."""

    def __init__(self, number):
        self.number = number

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        if self.number > 1000:
            raise StopIteration
        self.number += 1000
        return self.number


@types.coroutine
def plain(number):
    return (yield number)


async def catching(log, number):
    try:
        return await plain(number)
    except BaseException as error:
        log.append(f"in awaited: {chain(error)}")
        raise


async def raising(log, number):
    try:
        raise Failure(f"handled in awaited {number}")
    except Failure:
        return await plain(number)


async def failing(log, number):
    try:
        await plain(number)
    finally:
        raise Failure(f"awaited {number}")


async def immediate(log, number):
    raise Failure(f"at once {number}")


AWAITABLES = {
    "plain": lambda log, number: plain(number),
    "iterator": lambda log, number: Iterator(number),
    "catching": catching,
    "raising": raising,
    "failing": failing,
    "immediate": immediate,
}
ERRORS = ["KeyError", "ValueError", "Failure"]


def random_body(choose, depth, awaits):
    """Return random lines of a function, in which the caller replaces PAUSE(x)."""
    lines = []
    for _ in range(choose.randint(1, 3)):
        number = choose.randrange(1000)
        kind = choose.choice(["pause"] * 4 + ["raise", "except", "except", "finally", "with"]) if depth else "pause"
        if kind == "pause":
            what = f"make({choose.choice(list(AWAITABLES))!r}, log, {number})" if awaits else number
            lines.append(f"log.append(('got', PAUSE({what})))")
        elif kind == "raise":
            cause = choose.choice(["", " from None", f" from Failure('cause {number}')"])
            lines += [f"if sent({number}):", f"    raise {choose.choice(ERRORS)}({number}){cause}"]
        elif kind == "with":
            lines += [f"with Manager(log, {number}):", *random_block(choose, depth, awaits)]
        else:
            lines += ["try:", *random_block(choose, depth, awaits)]
            if choose.random() < 0.6:
                lines.append(f"    raise {choose.choice(ERRORS)}({number})")
            if kind == "except":
                caught = choose.choice([*ERRORS, "Exception", "GeneratorExit", "BaseException"])
                lines += [
                    f"except {caught} as error:",
                    "    log.append(chain(error))",
                    *random_block(choose, depth, awaits),
                ]
                if choose.random() < 0.3:
                    lines.append(choose.choice(["    raise", f"    raise Failure({number})"]))
            else:
                lines += ["finally:", *random_block(choose, depth, awaits)]
    return lines


def random_block(choose, depth, awaits):
    return textwrap.indent("\n".join(random_body(choose, depth - 1, awaits)), "    ").split("\n")


def compiled(lines, definition, pause, **names):
    first = "PAUSE(make('plain', log, 0))" if "await" in pause else "PAUSE(0)"  # makes it a native generator
    source = "\n".join([definition, f"    {first}", *(f"    {line}" for line in lines)]).replace("PAUSE(", pause)
    namespace = {
        "Failure": Failure,
        "Manager": Manager,
        "chain": chain,
        "sent": lambda number: number % 2,
        **names,
        "make": lambda name, *arguments: AWAITABLES[name](*arguments),
    }
    exec(source, namespace)
    return namespace["body"]


def use(make, seed):
    """Use a generator or coroutine in a random way, which depends only on the seed. Returns the common log of both."""
    choose, log = random.Random(seed), []
    body = make(log)

    def step():
        what = choose.choice(["send", "send", "throw", "throw", "throw a class", "throw old", "close"])
        if what == "send":
            return "gave", body.send(None)
        if what == "close":
            return "closed", body.close()
        error = choose.choice([KeyError, ValueError, Failure, GeneratorExit])
        return "threw", body.throw(
            error if what == "throw a class" else error("old" if what == "throw old" else "thrown")
        )

    def step_and_log():
        try:
            log.append(step())
        except BaseException as error:
            log.append(f"out: {chain(error)}")

    try:
        log.append(("first", body.send(None)))
    except BaseException as error:
        log.append(f"out: {chain(error)}")
    for _ in range(6):
        if choose.random() < 0.4:
            try:
                raise LookupError("of the consumer")
            except LookupError:
                step_and_log()
        else:
            step_and_log()
    for _ in range(100):  # run it to its end, so that the collector does not have to end it
        try:
            body.throw(KeyboardInterrupt)
        except BaseException as error:
            log.append(f"out: {chain(error)}")
            if isinstance(error, (StopIteration, RuntimeError)) or error.__traceback__.tb_next is None:
                break
    return log


@pytest.mark.parametrize("part", range(10))
def test_random_generators_log_the_same_as_native_ones(part):
    contexts = 0
    for seed in range(part * 100, part * 100 + 100):
        lines = random_body(random.Random(seed), 3, False)
        log = use(compiled(lines, "def body(log):", "(yield "), seed)
        function = compiled(lines, "def body(log):", "yield_(", yield_=yield_)
        assert use(generator(function), seed) == log, "\n".join(lines)
        contexts += sum(" < " in str(line) for line in log)
    assert contexts > 50


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("part", range(10))
def test_random_coroutines_log_the_same_as_native_ones(part):
    contexts = 0
    for seed in range(part * 100, part * 100 + 100):
        lines = random_body(random.Random(seed), 3, True)
        native = compiled(lines, "async def body(log):", "(await ")
        function = compiled(lines, "def body(log):", "await_(", await_=await_)
        log = use(native, seed)
        assert use(lambda log: run(function, log), seed) == log, "\n".join(lines)

        async def awaiting(log):
            return await native(log)

        log = use(awaiting, seed)
        # A body that is still suspended when its coroutine has ended is released some time later.
        ended = next((i for i, line in enumerate(log) if "ignored GeneratorExit" in str(line)), None)
        assert use(async_(function), seed)[:ended] == log[:ended], "\n".join(lines)
        contexts += sum(" < " in str(line) for line in log)
    assert contexts > 50


class Driven:
    """An asynchronous generator that awaits nothing, wrapped with the methods of a generator."""

    def __init__(self, generator):
        self.generator = generator

    @staticmethod
    def result(awaitable):
        try:
            awaitable.send(None)
        except StopIteration as stop:
            return stop.value
        raise AssertionError("it awaits something")

    def send(self, value):
        return self.result(self.generator.asend(value))

    def throw(self, error):
        return self.result(self.generator.athrow(error))

    def close(self):
        return self.result(self.generator.aclose())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("part", range(5))
def test_random_asynchronous_generators_log_the_same_as_native_ones(part):
    for seed in range(part * 100, part * 100 + 100):
        lines = random_body(random.Random(seed), 3, False)
        native = compiled(lines, "async def body(log):", "(yield ")
        log = use(lambda log: Driven(native(log)), seed)
        for function in (
            compiled(lines, "def body(log):", "(yield "),
            generator(compiled(lines, "def body(log):", "yield_(", yield_=yield_)),
        ):
            made = async_(function)
            assert use(lambda log: Driven(made(log)), seed) == log, "\n".join(lines)


# --- single cases ----------------------------------------------------------------------------------------------------


def test_an_exception_thrown_at_any_depth_has_the_one_that_is_handled_as_its_context():
    def inner():
        yield_(1)

    @generator
    def values():
        try:
            raise KeyError("handled")
        except KeyError:
            inner()

    g = values()
    next(g)
    with pytest.raises(ValueError) as caught:
        g.throw(ValueError("thrown"))
    assert chain(caught.value) == "ValueError('thrown') < KeyError('handled')"


def test_so_has_one_that_is_thrown_where_a_greenlet_of_the_generator_yielded():
    @generator
    def values():
        def child():
            try:
                raise KeyError("handled")
            except KeyError:
                yield_(1)

        greenlet(child).switch()

    g = values()
    next(g)
    with pytest.raises(ValueError) as caught:
        g.throw(ValueError("thrown"))
    assert chain(caught.value) == "ValueError('thrown') < KeyError('handled')"


def test_the_generator_exit_of_one_that_is_collected_has_one():
    log = []

    @generator
    def values(cycle):
        try:
            raise KeyError("handled")
        except KeyError:
            try:
                yield_(1)
            except GeneratorExit as error:
                log.append(chain(error))
                raise

    cycle = []
    cycle.append(values(cycle))
    next(cycle[0])
    del cycle
    gc.collect()
    assert log == ["GeneratorExit() < KeyError('handled')"]


def test_what_is_thrown_into_a_generator_that_handles_nothing_gets_no_context_of_its_consumer():
    @generator
    def values():
        yield_(1)

    g = values()
    next(g)
    with pytest.raises(ValueError) as caught:
        try:
            raise KeyError("of the consumer")
        except KeyError:
            error = ValueError("thrown")
            with contextlib.suppress(ValueError):
                g.throw(error)
            assert error.__context__ is None
            raise ValueError("own")
    assert chain(caught.value) == "ValueError('own') < KeyError('of the consumer')"


def test_a_chain_that_would_become_a_ring_is_cut():
    handled = KeyError("handled")

    @generator
    def values():
        try:
            raise handled
        except KeyError:
            yield_(1)

    thrown = ValueError("thrown")
    handled.__context__ = thrown
    g = values()
    next(g)
    with pytest.raises(ValueError) as caught:
        g.throw(thrown)
    assert chain(caught.value) == "ValueError('thrown') < KeyError('handled')"


@pytest.mark.parametrize(
    "wait",
    [
        lambda: await_(asyncio.Event().wait()),
        lambda: await_(asyncio.get_running_loop().create_future()),
        lambda: await_(asyncio.sleep(10)),
    ],
    ids=["coroutine", "future", "sleep"],
)
def test_a_cancellation_has_the_error_that_is_handled_as_its_context(wait):
    def function():
        try:
            raise KeyError("handled")
        except KeyError:
            wait()

    async def main():
        task = asyncio.create_task(run(function))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel("for a test")
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        return caught.value

    assert chain(asyncio.run(main())) == "CancelledError('for a test') < KeyError('handled')"


def test_so_has_a_timeout():
    async def main():
        def function():
            try:
                raise KeyError("handled")
            except KeyError:
                await_(asyncio.wait_for(asyncio.sleep(10), 0.001))

        async def native():
            try:
                raise KeyError("handled")
            except KeyError:
                await asyncio.wait_for(asyncio.sleep(10), 0.001)

        with pytest.raises(TimeoutError) as ours:
            await run(function)
        with pytest.raises(TimeoutError) as theirs:
            await native()
        assert "KeyError('handled')" in chain(ours.value)
        assert chain(ours.value) == chain(theirs.value)

    asyncio.run(main())
