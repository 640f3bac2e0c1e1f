"""Static types of extension modules that derive from greenlet, and Python classes that derive from those."""

import gc
import sys

import pytest
from support.environment import KEEPS_CLASSES
from support.extensions import compile_extension, load

from greenlet import getcurrent, greenlet


@pytest.fixture(scope="module")
def static_subclass(tmp_path_factory):
    return load(compile_extension("static_subclass.c", tmp_path_factory.mktemp("static_subclass")))


@pytest.fixture(params=["StaticGreenlet", "below StaticGreenlet", "CythonGreenlet", "below CythonGreenlet", "Python"])
def subclass(request, static_subclass):
    if request.param == "Python":
        return type("Below", (greenlet,), {})
    base = getattr(static_subclass, request.param.split()[-1])
    return type("Below", (base,), {}) if request.param.startswith("below") else base


def test_the_references_to_the_type_balance(subclass):
    gc.collect()
    before = sys.getrefcount(subclass)
    for _ in range(100):
        assert subclass(lambda: 1).switch() == 1
        del _
    gc.collect()  # merges the reference counts of the threads on free-threaded builds
    assert abs(sys.getrefcount(subclass) - before) <= 2


def test_collections_leave_a_type_that_is_in_use(subclass):
    kept = [subclass(lambda: None) for _ in range(10)]
    gc.collect()
    assert [g.switch() for g in kept] == [None] * 10


@pytest.mark.skipif(KEEPS_CLASSES, reason="CPython 3.13t keeps classes permanently")
def test_a_class_can_be_collected_with_its_instances(static_subclass):
    class Below(static_subclass.StaticGreenlet):
        pass

    Below.instance = Below(getcurrent)
    gone = []
    Below.witness = type("Witness", (), {"__del__": lambda self: gone.append(True)})()
    del Below
    gc.collect()
    assert gone == [True]


def test_a_suspended_one_in_a_cycle_is_killed(subclass):
    ended = []

    def run():
        me = getcurrent()
        try:
            me.parent.switch()
        finally:
            ended.append(True)

    g = subclass(run)
    g.switch()
    del g
    gc.collect()
    assert ended == [True]


def test_the_references_to_the_type_balance_when_one_lives_on(subclass):
    kept = []

    def run():
        try:
            getcurrent().parent.switch()
        finally:
            kept.append(getcurrent())

    def release_and_keep():
        g = subclass(run)
        g.switch()
        del g
        kept.pop()

    release_and_keep()
    gc.collect()
    before = sys.getrefcount(subclass)
    for _ in range(20):
        release_and_keep()
    gc.collect()
    assert abs(sys.getrefcount(subclass) - before) <= 2
