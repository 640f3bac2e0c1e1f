"""The C API: the twelve entries of the table, seen from a client in C."""

import gc
import sys
import threading
import weakref
from pathlib import Path

import pytest
from support.extensions import compile_extension, greenlet_headers, include_folders
from support.greenlets import collect, suspended
from support.threads import in_thread

from greenlet import GreenletExit, error, getcurrent, greenlet

NO_GREENLETS = [None, 1, "greenlet", object(), greenlet, Exception()]


class TestHeader:
    def test_is_beside_the_package(self):
        import greenlet

        assert Path(greenlet.__file__).resolve().with_name("greenlet.h") in greenlet_headers()

    def test_is_where_headers_are_installed(self):
        assert any("include" in header.parts for header in greenlet_headers())

    def test_is_the_same_everywhere(self):
        assert len({header.read_bytes() for header in greenlet_headers()}) == 1

    def test_every_one_can_be_compiled_with(self, tmp_path):
        assert len(include_folders()) >= 2
        for number, folder in enumerate(include_folders()):
            target = tmp_path / str(number)
            target.mkdir()
            assert compile_extension("client.c", target, folder).exists()


def test_the_struct_is_as_clients_compiled_it(client):
    pointer = 8 if sys.maxsize > 2**32 else 4
    assert client.offset_of_weakreflist == client.size_of_object
    assert client.offset_of_dict == client.size_of_object + pointer
    assert client.offset_of_pimpl == client.size_of_object + 2 * pointer
    assert client.size == client.size_of_object + 3 * pointer
    assert greenlet.__basicsize__ == client.size


def test_the_type_and_the_exceptions(client):
    assert client.Type is greenlet and client.Error is error and client.Exit is GreenletExit


def test_the_version_of_the_header_stays(client):
    assert client.version == "1.0.0"


class TestCheck:
    def test_greenlets(self, client):
        class Mine(greenlet):
            pass

        assert client.check(greenlet()) and client.check(getcurrent()) and client.check(Mine())

    @pytest.mark.parametrize("value", NO_GREENLETS)
    def test_others(self, client, value):
        assert not client.check(value)


class TestNew:
    def test_without_a_run(self, client):
        g = client.new(None, None)
        assert type(g) is greenlet and g.parent is getcurrent()
        with pytest.raises(AttributeError):
            g.switch()

    def test_with_a_run(self, client):
        assert client.new(len, None).switch("abc") == 3

    def test_with_a_parent(self, client):
        parent = greenlet()
        assert client.new(len, parent).parent is parent

    @pytest.mark.parametrize("parent", NO_GREENLETS[1:])
    def test_with_a_parent_that_is_no_greenlet(self, client, parent):
        with pytest.raises(TypeError):
            client.new(len, parent)

    def test_references_are_balanced(self, client):
        run, parent = lambda: None, greenlet()
        before = sys.getrefcount(run), sys.getrefcount(parent)
        for _ in range(100):
            client.new(run, parent)
            with pytest.raises(TypeError):
                client.new(run, 1)
        gc.collect()
        assert (sys.getrefcount(run), sys.getrefcount(parent)) == before


class TestGetCurrent:
    def test_is_the_running_greenlet(self, client):
        assert client.get_current() is getcurrent()
        g = greenlet(client.get_current)
        assert g.switch() is g

    def test_in_another_thread(self, client):
        assert in_thread(lambda: client.get_current() is getcurrent())


class TestSwitch:
    @pytest.mark.parametrize(
        "args, kwargs, result",
        [
            (None, None, ()),
            ((), None, ()),
            ((1,), None, 1),
            ((1, 2), None, (1, 2)),
            (None, {}, ()),
            (None, {"a": 1}, {"a": 1}),
            ((1,), {"a": 2}, ((1,), {"a": 2})),
            ((1, 2), {"a": 3}, ((1, 2), {"a": 3})),
        ],
    )
    def test_values(self, client, args, kwargs, result):
        g = suspended(lambda: getcurrent().parent.switch(getcurrent().parent.switch()))
        assert client.switch(g, args, kwargs) == result
        assert client.switch(getcurrent(), args, kwargs) == result

    @pytest.mark.parametrize("positional", [0, 1, 6, 7, 30])
    @pytest.mark.parametrize("named", [0, 1, 7, 30])
    def test_starts_with_arguments(self, client, positional, named):
        args = tuple(range(positional))
        kwargs = {f"name{i}": i for i in range(named)}
        assert client.switch(greenlet(lambda *a, **k: (a, k)), args, kwargs or None) == (args, kwargs)

    def test_keywords_that_are_no_strings_are_a_type_error(self, client):
        with pytest.raises(TypeError):
            client.switch(greenlet(lambda **k: k), None, {1: 2})

    def test_changing_the_keywords_while_they_are_passed_is_safe(self, client):
        kwargs = {f"name{i}": object() for i in range(10)}

        class Run(greenlet):
            @property
            def run(self):
                kwargs.clear()
                return lambda **k: len(k)

        assert client.switch(Run(), None, kwargs) in (0, 10)

    def test_another_thread_may_change_the_keywords_while_they_are_passed(self, client):
        kwargs = {}

        def change():
            for number in range(20_000):
                kwargs[f"name{number % 50}"] = object()
                if number % 20 == 0:
                    kwargs.clear()

        thread = threading.Thread(target=change)
        thread.start()
        while thread.is_alive():
            passed = client.switch(greenlet(lambda **named: named), None, kwargs)
            assert all(name.startswith("name") and type(value) is object for name, value in passed.items())
        thread.join()

    @pytest.mark.parametrize("args", [1, [1], "text"])
    def test_arguments_that_are_no_tuple(self, client, args):
        with pytest.raises(TypeError):
            client.switch(suspended(), args, None)

    @pytest.mark.parametrize("g", NO_GREENLETS)
    def test_no_greenlet(self, client, g):
        with pytest.raises(TypeError):
            client.switch(g, None, None)

    def test_exceptions_arrive(self, client):
        def run():
            raise LookupError

        with pytest.raises(LookupError):
            client.switch(greenlet(run), None, None)

    def test_of_another_thread(self, client):
        other = in_thread(getcurrent)
        with pytest.raises(error):
            client.switch(other, None, None)

    def test_references_are_balanced(self, client):
        value = object()
        g = suspended(lambda: [getcurrent().parent.switch() for _ in range(300)])
        before = sys.getrefcount(value)
        for _ in range(100):
            client.switch(g, (value,), None)
            client.switch(g, (value, value), {"a": value})
            client.switch(greenlet(lambda *a, **k: None), (value,), {"a": value})
        del g
        collect()
        assert sys.getrefcount(value) == before


class TestThrow:
    def test_a_class_a_value_and_a_traceback(self, client):
        def run():
            try:
                getcurrent().parent.switch()
            except LookupError as exception:
                return exception.args

        assert client.throw(suspended(run), LookupError, None, None) == ()
        assert client.throw(suspended(run), LookupError, "value", None) == ("value",)
        assert client.throw(suspended(run), LookupError, LookupError("value"), None) == ("value",)
        try:
            raise KeyError("with a traceback")
        except KeyError as exception:
            traceback = exception.__traceback__
        assert client.throw(suspended(run), LookupError("instance"), None, traceback) == ("instance",)

    def test_wrong_arguments(self, client):
        g = suspended()
        for arguments in [(1, None, None), (LookupError(), "value", None), (LookupError, None, 1)]:
            with pytest.raises(TypeError):
                client.throw(g, *arguments)
        assert g
        g.switch()

    @pytest.mark.parametrize("g", NO_GREENLETS)
    def test_no_greenlet(self, client, g):
        with pytest.raises(TypeError):
            client.throw(g, LookupError, None, None)


class TestParent:
    def test_get(self, client):
        g = greenlet()
        assert client.get_parent(g) is getcurrent()
        assert client.get_parent(getcurrent()) is None

    def test_set(self, client):
        g, parent = greenlet(), greenlet()
        assert client.set_parent(g, parent) == 0
        assert g.parent is parent

    def test_set_to_what_is_not_possible(self, client):
        g = greenlet()
        child = greenlet(None, g)
        with pytest.raises(ValueError):
            client.set_parent(g, child)
        with pytest.raises(AttributeError):
            client.set_parent(g, None)
        for value in NO_GREENLETS[1:]:
            with pytest.raises(TypeError):
                client.set_parent(g, value)
        assert g.parent is getcurrent()

    @pytest.mark.parametrize("g", NO_GREENLETS)
    def test_no_greenlet(self, client, g):
        with pytest.raises(TypeError):
            client.get_parent(g)
        with pytest.raises(TypeError):
            client.set_parent(g, getcurrent())

    def test_references_are_balanced(self, client):
        g, parent = greenlet(), greenlet()
        before = sys.getrefcount(parent)
        for _ in range(100):
            client.set_parent(g, parent)
            client.get_parent(g)
        client.set_parent(g, getcurrent())
        assert sys.getrefcount(parent) == before


class TestState:
    def test_of_the_main_greenlet(self, client):
        main = getcurrent()
        assert (client.is_main(main), client.is_started(main), client.is_active(main)) == (1, 1, 1)

    def test_of_an_unstarted_one(self, client):
        g = greenlet()
        assert (client.is_main(g), client.is_started(g), client.is_active(g)) == (0, 0, 0)

    def test_of_a_suspended_one(self, client):
        g = suspended()
        assert (client.is_main(g), client.is_started(g), client.is_active(g)) == (0, 1, 1)
        g.switch()

    def test_of_a_finished_one(self, client):
        g = greenlet(lambda: None)
        g.switch()
        assert (client.is_main(g), client.is_active(g)) == (0, 0)

    @pytest.mark.parametrize("g", NO_GREENLETS)
    @pytest.mark.parametrize("name", ["is_main", "is_started", "is_active"])
    def test_of_no_greenlet(self, client, name, g):
        with pytest.raises(TypeError):
            getattr(client, name)(g)


class TestInC:
    def test_a_function_runs_as_a_greenlet(self, client):
        g = greenlet(client.doubler)
        assert [g.switch(value) for value in (1, 2, 3, "ab")] == [2, 4, 6, "abab"]
        assert g.switch(0) == 0 and g.dead

    def test_a_function_sees_what_is_thrown(self, client):
        g = greenlet(client.doubler)
        g.switch(1)
        with pytest.raises(LookupError):
            g.throw(LookupError)
        assert g.dead

    def test_local_variables_survive_switches(self, client):
        greenlets = [greenlet(client.keeps_locals) for _ in range(20)]
        for number, g in enumerate(greenlets):
            g.switch(1000 * number)
        assert [g.switch() for g in greenlets] == [True] * 20


class TestDerivedType:
    def test_has_the_greenlet_at_its_start(self, client):
        assert client.Derived.__basicsize__ == client.size_of_derived > client.size
        assert client.Derived.__base__ is greenlet

    def test_keeps_its_own_fields(self, client):
        value = object()
        g = client.Derived(7, value)
        assert client.check(g) and isinstance(g, greenlet)
        assert g.switch() == (7, value)
        assert g.dead

    def test_has_a_dict_and_weak_references(self, client):
        g = client.Derived(7, None)
        g.name = "value"
        alive = weakref.ref(g)
        assert g.__dict__ == {"name": "value"} and alive() is g
        del g
        assert alive() is None

    def test_releases_its_fields(self, client):
        class Value:
            pass

        value = Value()
        alive = weakref.ref(value)
        g = client.Derived(7, value)
        del value
        g.switch()
        del g
        assert alive() is None

    def test_is_collected_in_a_cycle(self, client):
        cell = []
        cell.append(client.Derived(7, cell))
        alive = weakref.ref(cell[0])
        del cell
        collect()
        assert alive() is None

    def test_can_be_derived_from_in_python(self, client):
        class Mine(client.Derived):
            def run(self):
                return "mine", getcurrent().parent.switch()

        g = Mine(1, None)
        assert g.switch() == ()
        assert g.switch("value") == ("mine", "value")

    def test_can_be_killed(self, client):
        events = []

        class Mine(client.Derived):
            def run(self):
                try:
                    getcurrent().parent.switch()
                finally:
                    events.append("finally")

        g = Mine(1, None)
        g.switch()
        del g
        collect()
        assert events == ["finally"]
