"""Errors when a greenlet is started, and the attribute `run`."""

import weakref

import pytest
from support.greenlets import Subclass, suspended

from greenlet import GreenletExit, error, getcurrent, greenlet


def test_without_a_run_it_cannot_be_started():
    g = greenlet()
    with pytest.raises(AttributeError, match="run"):
        g.switch()


def test_it_can_still_be_started_after_a_run_was_given():
    g = greenlet()
    with pytest.raises(AttributeError):
        g.switch()
    assert not g.dead and not g
    g.run = lambda: "ran"
    assert g.switch() == "ran"


def test_a_run_that_cannot_be_called_ends_it():
    g = greenlet(42)
    with pytest.raises(TypeError, match="not callable"):
        g.switch()
    assert g.dead


def test_a_run_with_the_wrong_arguments_ends_it():
    g = greenlet(lambda only: None)
    with pytest.raises(TypeError):
        g.switch(1, 2)
    assert g.dead


def test_an_exception_of_the_run_attribute_is_raised_in_the_caller():
    class Broken(greenlet):
        @property
        def run(self):
            raise LookupError("no run today")

    g = Broken()
    with pytest.raises(LookupError, match="no run today"):
        g.switch()
    assert not g.dead and not g


def test_a_run_attribute_may_switch():
    main = getcurrent()

    class Lazy(greenlet):
        @property
        def run(self):
            getcurrent().parent.switch("looking for run")
            return lambda: "ran"

    g = Lazy(parent=main)
    starter = greenlet(g.switch)
    assert starter.switch() == "looking for run"
    assert starter.switch() == "ran"


def test_a_run_attribute_may_start_the_greenlet_itself():
    class Eager(greenlet):
        first = True

        @property
        def run(self):
            if self.first:
                self.first = False
                self.switch("inner")
            return self.work

        def work(self, value):
            value = getcurrent().parent.switch(value)
            return "resumed with", value

    g = Eager()
    assert g.switch("outer") == ("resumed with", "outer")


def test_run_can_be_replaced_and_deleted_before_the_start():
    g = greenlet(lambda: "first")
    g.run = lambda: "second"
    assert g.switch() == "second"
    g = greenlet(len)
    del g.run
    with pytest.raises(AttributeError):
        g.run
    with pytest.raises(AttributeError):
        g.switch()


def test_run_is_gone_once_started():
    def run():
        return hasattr(getcurrent(), "run")

    g = greenlet(run)
    assert g.switch() is False
    assert not hasattr(g, "run")


@pytest.mark.parametrize("finish", [False, True])
def test_run_cannot_be_set_after_the_start(finish):
    g = suspended()
    if finish:
        g.switch()
    with pytest.raises(AttributeError, match="run"):
        g.run = len
    with pytest.raises(AttributeError):
        del g.run
    if not finish:
        g.switch()


def test_the_main_greenlet_has_no_run():
    main = getcurrent()
    with pytest.raises(AttributeError):
        main.run
    with pytest.raises(AttributeError):
        main.run = len
    with pytest.raises(AttributeError):
        del main.run


def test_run_is_released_at_the_end():
    import weakref

    class Run:
        def __call__(self):
            return "ran"

    run = Run()
    alive = weakref.ref(run)
    g = greenlet(run)
    del run
    assert g.switch() == "ran"
    assert alive() is None


def test_a_run_that_deletes_itself_from_the_instance_is_safe():
    class Own(greenlet):
        pass

    g = Own()
    g.run = lambda: "ran"
    assert g.switch() == "ran"


def test_letting_go_of_the_constructors_run_may_switch():
    # The `run` of the subclass is used. The one passed to the constructor is released at the start.
    main = getcurrent()
    order = []

    class Unused:
        def __del__(self):
            order.append("unused run destroyed")
            main.switch("left")

    class Own(greenlet):
        def run(self):
            order.append("run")
            return "result"

    g = Own(Unused())
    assert g.switch() == "left"
    assert g.switch() == "result"
    assert order == ["unused run destroyed", "run"]


def test_a_failed_switch_leaves_the_target_unstarted():
    from greenlet._greenlet import UnswitchableGreenlet

    g = UnswitchableGreenlet(lambda: "ran")
    g.force_switch_error = True
    with pytest.raises(SystemError):
        g.switch()
    assert not g.dead and not g
    g.force_switch_error = False
    assert g.switch() == "ran"


def test_a_failed_switch_leaves_the_target_suspended():
    from greenlet._greenlet import UnswitchableGreenlet

    g = UnswitchableGreenlet(lambda: ("resumed", getcurrent().parent.switch()))
    g.switch()
    g.force_switch_error = True
    with pytest.raises(SystemError):
        g.switch("lost")
    assert g
    g.force_switch_error = False
    assert g.switch("got") == ("resumed", "got")


def test_error_is_an_exception_and_greenlet_exit_only_a_base_exception():
    assert issubclass(error, Exception)
    assert issubclass(GreenletExit, BaseException) and not issubclass(GreenletExit, Exception)


@pytest.mark.parametrize("cls", [greenlet, Subclass])
def test_the_error_of_a_missing_run_says_of_which_greenlet(cls):
    g = cls()
    with pytest.raises(AttributeError) as raised:
        g.switch()
    assert raised.value.name == "run" and raised.value.obj is g


def test_arguments_that_a_greenlet_could_not_be_started_with_are_not_kept():
    class Argument:
        pass

    g = greenlet()
    argument = Argument()
    reference = weakref.ref(argument)
    with pytest.raises(AttributeError):
        g.switch(argument)
    del argument
    assert reference() is None
