"""Context variables in a generator are those of the consumer that resumes it."""

import contextvars
import gc
import sys

from support.threads import in_thread

from greenlet.generators import generator, yield_

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
