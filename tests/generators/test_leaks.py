"""Generators leak nothing, and random programs do not crash."""

import gc

import pytest
from support.generators import count_to
from support.processes import output_of_stress

import greenlet
from greenlet.generators import Generator


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda: list(count_to(3)), id="to the end"),
        pytest.param(lambda: next(count_to(3)), id="dropped"),
        pytest.param(lambda: count_to(3), id="never begun"),
        pytest.param(lambda: pytest.raises(TypeError, next, count_to("wrong")), id="failed"),
    ],
)
def test_nothing_is_left_behind(use):
    def count():
        gc.collect()
        return sum(isinstance(o, (Generator, greenlet.greenlet)) for o in gc.get_objects())

    use()
    before = count()
    for _ in range(20):
        use()
    assert count() <= before


def test_random_programs_with_destructors_and_tracers_that_use_generators():
    assert output_of_stress("generators.py", 0, 300) == "300 programs survived\n"
