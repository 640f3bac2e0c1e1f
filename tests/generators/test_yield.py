"""yield_() at any depth, send() and return values."""

import pytest
from support.generators import count_to, echo

from greenlet.generators import generator, yield_


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
