"""gr_frame, and the frames behind it, of suspended greenlets."""

import collections.abc
import gc
import inspect
import itertools
import sys
import traceback

import pytest
from support.frames import chain
from support.greenlets import collect, suspended

from greenlet import getcurrent, greenlet, stackless
from greenlet.generators import generator, yield_


def test_is_none_unless_suspended():
    g = greenlet(lambda: getcurrent().parent.switch(getcurrent().gr_frame))
    assert g.gr_frame is None
    assert g.switch() is None
    assert g.gr_frame is not None
    g.switch()
    assert g.gr_frame is None


def test_is_where_it_switched():
    def run():
        local = "value"  # noqa: F841
        getcurrent().parent.switch()

    g = suspended(run)
    frame = g.gr_frame
    assert frame.f_code is run.__code__
    assert frame.f_locals["local"] == "value"
    assert frame.f_lineno == run.__code__.co_firstlineno + 2
    assert frame.f_back is None
    g.switch()


def test_is_the_same_object_each_time():
    g = suspended()
    assert g.gr_frame is g.gr_frame


def test_of_a_builtin_run_is_none():
    main = getcurrent()
    g = greenlet(main.switch)
    g.switch()
    assert g and g.gr_frame is None
    g.switch()


def test_of_the_suspended_main_greenlet():
    main = getcurrent()
    here = sys._getframe()
    g = greenlet(lambda: (main.gr_frame is here, main.gr_frame.f_back is here.f_back))
    assert g.switch() == (True, True)
    assert main.gr_frame is None


def test_of_the_main_greenlet_below_nested_calls():
    main = getcurrent()

    def nested(depth):
        if depth:
            return nested(depth - 1)
        return greenlet(lambda: chain(main.gr_frame)).switch()

    names = nested(5)
    assert names[:7] == ["nested"] * 6 + ["test_of_the_main_greenlet_below_nested_calls"]


@pytest.mark.parametrize("depth", [1, 10, 100, 500])
def test_f_back_leads_to_the_first_frame(depth):
    def nested(depth):
        if depth > 1:
            return nested(depth - 1)
        return getcurrent().parent.switch()

    g = suspended(nested, depth)
    assert chain(g.gr_frame) == ["nested"] * depth
    g.switch()


def test_f_back_leads_through_c_functions():
    def nested(depth):
        if depth:
            return list(map(nested, [depth - 1]))
        return getcurrent().parent.switch()

    g = suspended(nested, 20)
    assert chain(g.gr_frame) == ["nested"] * 21
    g.switch()


def test_f_back_leads_through_generators():
    def generator(depth):
        if depth:
            yield from generator(depth - 1)
        else:
            getcurrent().parent.switch()
            yield

    g = suspended(lambda: next(generator(5)))
    assert chain(g.gr_frame) == ["generator"] * 6 + ["<lambda>"]
    g.switch()


def test_f_back_leads_through_a_mixture():
    class Class:
        def __init__(self):
            sorted([2, 1], key=self.key)

        def key(self, value):
            return sum(self.generator())

        def generator(self):
            getcurrent().parent.switch()
            yield 1

        def __lt__(self, other):
            return True

    g = suspended(Class)
    assert chain(g.gr_frame) == ["generator", "key", "__init__"]
    g.switch()


def test_frames_can_be_walked_while_another_greenlet_runs_deep():
    def nested(depth):
        if depth > 1:
            return list(map(nested, [depth - 1]))[0]
        return getcurrent().parent.switch()

    g = suspended(nested, 10)

    def walker(depth):
        if depth:
            return walker(depth - 1)
        gc.collect()
        return chain(g.gr_frame)

    assert walker(50) == ["nested"] * 10
    assert greenlet(walker).switch(50) == ["nested"] * 10
    g.switch()


def test_frames_can_be_kept_across_switches():
    def run():
        for value in range(3):
            getcurrent().parent.switch(value)

    g = suspended(run)
    frame = g.gr_frame
    seen = [frame.f_locals["value"]]
    while g.switch() is not None:
        seen.append(frame.f_locals["value"])
    assert seen == [0, 1, 2]


def test_frames_outlive_the_greenlet():
    def nested(depth):
        if depth:
            return nested(depth - 1)
        getcurrent().parent.switch()
        return depth

    g = suspended(nested, 3)
    frame = g.gr_frame
    assert len(chain(frame)) == 4
    g.switch()
    del g
    gc.collect()
    assert frame.f_code is nested.__code__ and frame.f_locals["depth"] == 0
    assert frame.f_back is None or frame.f_back.f_code is nested.__code__


def test_a_frame_kept_after_a_kill_is_cleared_of_the_greenlet():
    def run():
        local = "value"  # noqa: F841
        getcurrent().parent.switch()

    g = suspended(run)
    frame = g.gr_frame
    del g
    gc.collect()
    assert frame.f_locals["local"] == "value" and frame.f_back is None


def test_a_suspended_frame_cannot_be_cleared():
    g = suspended()
    with pytest.raises(RuntimeError):
        g.gr_frame.clear()
    g.switch()


def test_the_stack_can_be_extracted():
    def inner():
        getcurrent().parent.switch()

    def outer():
        inner()

    g = suspended(outer)
    assert [entry.name for entry in traceback.extract_stack(g.gr_frame)] == ["outer", "inner"]
    assert [entry.function for entry in inspect.getouterframes(g.gr_frame)] == ["inner", "outer"]
    g.switch()


def test_the_running_frames_of_a_greenlet_end_at_its_first():
    def run():
        return chain(sys._getframe())

    assert greenlet(run).switch() == ["run"]


def test_current_frames_has_the_running_greenlets():
    import threading

    def run():
        return sys._current_frames()[threading.get_ident()] is sys._getframe()

    assert greenlet(run).switch() is True


def test_locals_can_be_read_at_any_depth():
    def nested(depth):
        if depth:
            return list(map(nested, [depth - 1]))
        return getcurrent().parent.switch()

    g = suspended(nested, 10)
    frame, depths = g.gr_frame, []
    while frame is not None:
        depths.append(frame.f_locals["depth"])
        frame = frame.f_back
    assert depths == list(range(11))
    g.switch()


def test_a_traceback_of_a_suspended_greenlet_is_intact_afterwards():
    def run():
        try:
            raise LookupError("kept")
        except LookupError as exception:
            getcurrent().parent.switch()
            return traceback.format_exception(exception)

    g = suspended(run)
    chain(g.gr_frame)
    assert "kept" in "".join(g.switch())


class Resumes:
    """Garbage whose destructor resumes a greenlet."""

    def __init__(self, resume):
        self.resume = resume
        self.itself = self

    def __del__(self):
        self.resume()


def collected_during(function, resume):
    """Return the result of *function*.

    Its first allocation starts a collection (CPython 3.11) whose garbage calls *resume*.
    """
    threshold = gc.get_threshold()
    gc.collect()
    gc.disable()
    try:
        Resumes(resume)
        gc.set_threshold(1)
        gc.enable()
        result = function()
    finally:
        gc.enable()
        gc.set_threshold(*threshold)
    return result


def outer():
    def inner():
        getcurrent().parent.switch()

    inner()


def use_the_stack_again():
    def others(depth):
        return others(depth - 1) if depth else [sys._getframe()]

    greenlet(others).switch(20)


def check_that_it_can_be_looked_at(frame):
    use_the_stack_again()
    names = itertools.dropwhile(lambda name: name in ("inner", "middle", "outer"), chain(frame))
    assert next(names, "<lambda>") == "<lambda>"  # the consumer of a finished generator
    while frame is not None:
        assert frame.f_lineno is None or frame.f_lineno > 0
        assert isinstance(frame.f_locals, collections.abc.Mapping)
        frame = frame.f_back


def test_the_greenlet_may_finish_while_its_frame_is_asked_for():
    for _ in range(20):
        g = suspended(outer)
        check_that_it_can_be_looked_at(collected_during(lambda: g.gr_frame, g.switch))
        collect()
        assert g.dead


def test_the_greenlet_may_finish_while_the_frames_behind_are_asked_for():
    for _ in range(20):
        g = suspended(outer)
        frame = g.gr_frame
        check_that_it_can_be_looked_at(collected_during(lambda: frame.f_back, g.switch))
        collect()
        assert g.dead


def test_a_generator_may_finish_while_its_frame_is_asked_for():
    def middle():
        yield_()

    @generator
    def outer():
        middle()

    for _ in range(20):
        values = outer()
        next(values)
        check_that_it_can_be_looked_at(collected_during(lambda: values.gi_frame, lambda: list(values)))
        collect()
        assert list(values) == []


@pytest.mark.usefixtures("scheduler_as_before")
def test_a_tasklet_may_finish_while_its_frame_is_asked_for():
    def middle():
        channel.receive()

    def outer():
        middle()

    for _ in range(20):
        channel = stackless.channel()
        tasklet = stackless.tasklet(outer)()
        stackless.run()
        check_that_it_can_be_looked_at(collected_during(lambda: tasklet.frame, lambda: channel.send(None)))
        collect()
        assert not tasklet.alive
