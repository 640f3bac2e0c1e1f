"""switch(): the values that it passes, and the places where it may be called."""

import gc
import sys
import weakref

import pytest
from support.greenlets import suspended

from greenlet import getcurrent, greenlet

VALUES = [
    ((), {}, ()),
    ((1,), {}, 1),
    ((None,), {}, None),
    (((1, 2),), {}, (1, 2)),
    (((),), {}, ()),
    ((1, 2), {}, (1, 2)),
    ((1, 2, 3, 4, 5, 6, 7, 8), {}, (1, 2, 3, 4, 5, 6, 7, 8)),
    ((), {"a": 1}, {"a": 1}),
    ((1,), {"a": 2}, ((1,), {"a": 2})),
    ((1, 2), {"a": 3, "b": 4}, ((1, 2), {"a": 3, "b": 4})),
    (({"a": 1},), {}, {"a": 1}),
]


@pytest.mark.parametrize("args, kwargs, result", VALUES)
def test_what_a_suspended_greenlet_is_resumed_with(args, kwargs, result):
    received = []

    def run():
        received.append(getcurrent().parent.switch())

    suspended(run).switch(*args, **kwargs)
    assert received == [result]


@pytest.mark.parametrize("args, kwargs, result", VALUES)
def test_what_the_caller_is_resumed_with(args, kwargs, result):
    def run():
        getcurrent().parent.switch(*args, **kwargs)

    assert greenlet(run).switch() == result


@pytest.mark.parametrize("args, kwargs, result", VALUES)
def test_to_the_current_greenlet_returns_at_once(args, kwargs, result):
    assert getcurrent().switch(*args, **kwargs) == result
    g = greenlet(lambda: g.switch(*args, **kwargs))
    assert g.switch() == result


@pytest.mark.parametrize("args, kwargs, result", VALUES)
def test_to_a_finished_greenlet_goes_to_its_parent(args, kwargs, result):
    g = greenlet(lambda: None)
    g.switch()
    assert g.dead
    assert g.switch(*args, **kwargs) == result


@pytest.mark.parametrize("args, kwargs, result", VALUES)
def test_the_first_one_calls_run_with_the_arguments(args, kwargs, result):
    g = greenlet(lambda *args, **kwargs: (args, kwargs))
    assert g.switch(*args, **kwargs) == (args, kwargs)


def test_the_values_are_the_objects_themselves():
    value = object()
    assert greenlet(lambda v: getcurrent().parent.switch(v)).switch(value) is value


def test_the_result_of_run_arrives_as_it_is():
    for value in [None, (), (1,), (1, 2), {}, [1]]:
        assert greenlet(lambda v: v).switch(value) == value


def test_keyword_arguments_are_copied():
    given = {"a": 1}
    received = getcurrent().switch(**given)
    received["b"] = 2
    assert given == {"a": 1}


def test_keywords_must_be_strings():
    with pytest.raises(TypeError):
        getcurrent().switch(**{1: 2})


@pytest.mark.parametrize("positional", [0, 1, 5, 6, 7, 50])
@pytest.mark.parametrize("named", [0, 1, 6, 7, 50])
def test_any_number_of_arguments_starts_a_greenlet(positional, named):
    args = tuple(object() for _ in range(positional))
    kwargs = {f"name{i}": object() for i in range(named)}
    assert greenlet(lambda *a, **k: (a, k)).switch(*args, **kwargs) == (args, kwargs)


@pytest.mark.parametrize("count", [0, 1, 6, 7, 20])
def test_arguments_are_released_when_run_releases_them(count):
    class Argument:
        pass

    def run(*args):
        alive = [weakref.ref(a) for a in args]
        del args
        return alive

    args = [Argument() for _ in range(count)]
    g = greenlet(run)
    alive = g.switch(*args)
    del args
    assert len(alive) == count and all(a() is None for a in alive)


def test_references_to_values_are_balanced():
    value = object()
    echo = suspended(lambda: [getcurrent().parent.switch(v) for v in iter(getcurrent().parent.switch, None)])
    before = sys.getrefcount(value)
    for _ in range(1000):
        echo.switch(value)
        echo.switch(value, value)
        echo.switch(value, name=value)
        echo.switch(())
    echo.switch(())
    del echo
    gc.collect()
    assert sys.getrefcount(value) == before


def test_two_greenlets_alternate():
    order = []

    def run(name, other):
        for step in range(3):
            order.append((name, step))
            greenlets[other].switch()

    greenlets = {"a": greenlet(lambda: run("a", "b")), "b": greenlet(lambda: run("b", "a"))}
    greenlets["a"].switch()
    assert order == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2), ("b", 2)]


def test_resumes_below_nested_calls():
    def nested(depth):
        if depth:
            return nested(depth - 1) + 1
        return getcurrent().parent.switch("down there")

    g = greenlet(nested)
    assert g.switch(200) == "down there"
    assert g.switch(0) == 200


def test_resumes_below_nested_calls_through_c():
    def nested(depth):
        if depth:
            return max(map(nested, [depth - 1])) + 1
        return getcurrent().parent.switch("down there")

    g = greenlet(nested)
    assert g.switch(30) == "down there"
    assert g.switch(0) == 30


def test_may_be_called_inside_any_c_function():
    main = getcurrent()

    class Key:
        def __lt__(self, other):
            return main.switch("comparing")

        def __hash__(self):
            return main.switch("hashing")

    class Descriptor:
        def __get__(self, instance, owner):
            return main.switch("getting")

    class Holder:
        attribute = Descriptor()

    g = greenlet(lambda: sorted([Key(), Key()]))
    assert g.switch() == "comparing"
    assert len(g.switch(False)) == 2
    g = greenlet(lambda: hash(Key()))
    assert g.switch() == "hashing"
    assert g.switch(12) == 12
    g = greenlet(lambda: Holder().attribute)
    assert g.switch() == "getting"
    assert g.switch("got") == "got"


def test_may_be_called_inside_import(tmp_path, monkeypatch):
    (tmp_path / "switches_while_imported.py").write_text(
        "from greenlet import getcurrent\nvalue = getcurrent().parent.switch('importing')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def run():
        import switches_while_imported

        return switches_while_imported.value

    g = greenlet(run)
    assert g.switch() == "importing"
    assert g.switch(5) == 5


def test_may_be_called_in_del():
    order = []

    class Switcher:
        def __del__(self):
            order.append("deleting")
            other.switch()
            order.append("deleted")

    main = getcurrent()
    other = greenlet(lambda: main.switch(order.append("other")))
    switcher = Switcher()
    del switcher
    assert order == ["deleting", "other", "deleted"]


def test_a_del_that_is_left_by_a_switch_can_be_resumed():
    order = []

    class Leaver:
        def __del__(self):
            order.append("deleting")
            main.switch()
            order.append("deleted")

    main = getcurrent()

    def run():
        leaver = Leaver()
        del leaver
        return "after"

    g = greenlet(run)
    g.switch()
    assert order == ["deleting"]
    assert g.switch() == "after"
    assert order == ["deleting", "deleted"]


def test_may_be_called_in_a_weak_reference_callback():
    class Target:
        pass

    target = Target()
    main = getcurrent()
    seen = []
    other = greenlet(lambda: main.switch(seen.append("other")))
    reference = weakref.ref(target, lambda _: other.switch())
    del target
    assert seen == ["other"] and reference() is None


def test_may_be_called_while_garbage_is_collected():
    class Cycle:
        def __init__(self):
            self.self = self

        def __del__(self):
            seen.append(other.switch("from the collector"))

    seen = []
    other = suspended(lambda: [getcurrent().parent.switch(v) for v in iter(getcurrent().parent.switch, None)])
    Cycle()
    gc.collect()
    assert seen == ["from the collector"]


def test_may_be_called_in_a_garbage_collection_callback():
    main = getcurrent()
    phases = []

    def run():
        while True:
            phases.append(main.switch())

    other = suspended(run)

    def callback(phase, info):
        other.switch(phase)

    gc.disable()  # no other collection
    gc.callbacks.append(callback)
    try:
        gc.collect()
    finally:
        gc.callbacks.remove(callback)
        gc.enable()
    assert phases == ["start", "stop"]


def test_a_callable_written_in_c_runs_as_a_greenlet():
    assert greenlet(len).switch("four") == 4
    assert greenlet(sorted).switch([2, 1], reverse=True) == [2, 1]
    assert greenlet(dict).switch(a=1) == {"a": 1}
    with pytest.raises(TypeError):
        greenlet(len).switch()


def test_a_callable_written_in_c_may_switch_below_itself():
    main = getcurrent()
    g = greenlet(map(main.switch, [1, 2]).__next__)
    assert g.switch() == 1
    assert g.switch("back") == "back"


def test_any_callable_runs_as_a_greenlet():
    class Callable:
        def __call__(self, value):
            return "called", value

        def method(self, value):
            return "method", value

    import functools

    assert greenlet(Callable()).switch(1) == ("called", 1)
    assert greenlet(Callable().method).switch(1) == ("method", 1)
    assert greenlet(functools.partial(Callable().method, 2)).switch() == ("method", 2)
    assert greenlet(Callable).switch().method(3) == ("method", 3)


def test_switch_methods_can_be_run_of_another_greenlet():
    main = getcurrent()
    g = greenlet(main.switch)
    assert g.switch("through") == "through"
    assert g and g.switch("result") == "result"
    assert g.dead


def test_the_bound_method_keeps_the_greenlet_alive():
    switch = greenlet(lambda: "ran").switch
    assert switch() == "ran"


def test_can_be_called_by_every_way_of_calling():
    g = suspended(lambda: [getcurrent().parent.switch(v) for v in iter(getcurrent().parent.switch, "stop")])
    assert g.switch(*[1]) == 1
    g.switch()
    assert greenlet.switch(g, 2) == 2
    g.switch()
    assert g.switch.__call__(3) == 3
    g.switch()
    assert list(map(g.switch, [4])) == [4]
    g.switch()
    g.switch("stop")
    assert g.dead


def test_the_method_needs_a_greenlet():
    with pytest.raises(TypeError):
        greenlet.switch()
    with pytest.raises(TypeError):
        greenlet.switch(object())


def test_getcurrent_is_the_running_greenlet():
    main = getcurrent()
    g = greenlet(lambda: (getcurrent(), main.switch(getcurrent()), getcurrent()))
    assert g.switch() is g
    assert getcurrent() is main
    assert g.switch() == (g, (), g)


def test_a_greenlet_can_be_started_by_a_greenlet_that_is_not_its_parent():
    main = getcurrent()
    g = greenlet(lambda: ("result", getcurrent().parent is main))
    starter = greenlet(lambda: g.switch())
    assert starter.switch() == ("result", True)
    assert starter and not starter.dead
    starter.switch()


def test_a_million_switches():
    def run():
        switch = getcurrent().parent.switch
        while switch() is not None:
            pass

    g = suspended(run)
    for _ in range(500_000):
        g.switch(1)
    g.switch(None)
    assert g.dead


@pytest.mark.parametrize("how", ["finishes", "is killed"])
def test_arguments_are_released_in_the_order_of_a_tuple(how):
    class Witness:
        def __init__(self, name):
            self.name = name

        def __del__(self):
            gone.append(self.name)

    def run(*arguments):
        getcurrent().parent.switch()

    gone = []
    g = greenlet(run)
    g.switch(Witness("first"), Witness("second"))
    assert gone == []
    if how == "finishes":
        g.switch()
    del g
    assert gone == ["second", "first"]
