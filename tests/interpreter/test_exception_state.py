"""sys.exc_info(): each greenlet has its own handled exceptions."""

import gc
import sys
import weakref

import pytest
from support.greenlets import suspended

from greenlet import getcurrent, greenlet


def handling(exception):
    """Return a greenlet suspended in the `except` block of *exception*."""

    def run():
        try:
            raise exception
        except type(exception):
            getcurrent().parent.switch()
            return sys.exc_info()[1]

    return suspended(run)


def test_a_new_greenlet_handles_nothing():
    try:
        raise LookupError
    except LookupError:
        assert greenlet(sys.exc_info).switch() == (None, None, None)


def test_what_a_suspended_greenlet_handles_is_not_seen_outside():
    g = handling(LookupError())
    assert sys.exc_info() == (None, None, None)
    g.switch()


def test_a_greenlet_still_handles_its_exception_when_resumed():
    exception = LookupError()
    assert handling(exception).switch() is exception


def test_the_caller_still_handles_its_exception():
    g = handling(LookupError())
    mine = KeyError()
    try:
        raise mine
    except KeyError:
        g.switch()
        assert sys.exc_info()[1] is mine
    assert sys.exc_info() == (None, None, None)


def test_a_finished_greenlet_leaves_no_exception_behind():
    def run():
        try:
            raise LookupError
        except LookupError:
            return "result"

    assert greenlet(run).switch() == "result"
    assert sys.exc_info() == (None, None, None)


def test_many_greenlets_handle_different_exceptions():
    exceptions = [LookupError(i) for i in range(20)]
    greenlets = [handling(e) for e in exceptions]
    assert [g.switch() for g in reversed(greenlets)] == exceptions[::-1]


def test_bare_raise_raises_the_greenlets_own_exception():
    def run():
        try:
            raise LookupError("mine")
        except LookupError:
            getcurrent().parent.switch()
            raise

    g = suspended(run)
    try:
        raise KeyError("callers")
    except KeyError:
        with pytest.raises(LookupError, match="mine"):
            g.switch()


def test_bare_raise_in_a_new_greenlet_has_nothing_to_raise():
    def run():
        raise

    try:
        raise LookupError
    except LookupError:
        with pytest.raises(RuntimeError):
            greenlet(run).switch()


def test_the_context_of_a_new_exception_is_of_the_same_greenlet():
    def run():
        try:
            raise LookupError
        except LookupError:
            getcurrent().parent.switch()
            raise ValueError

    g = suspended(run)
    try:
        raise KeyError
    except KeyError:
        with pytest.raises(ValueError) as caught:
            g.switch()
    assert type(caught.value.__context__) is LookupError


def test_an_exception_of_a_child_gets_no_context_of_the_parent():
    def run():
        raise ValueError

    with pytest.raises(ValueError) as caught:
        try:
            raise KeyError
        except KeyError:
            greenlet(run).switch()
    assert caught.value.__context__ is None or type(caught.value.__context__) is KeyError


def test_nested_except_blocks_unwind_in_order():
    def run():
        seen = []
        try:
            raise LookupError
        except LookupError:
            try:
                raise KeyError
            except KeyError:
                getcurrent().parent.switch()
                seen.append(type(sys.exc_info()[1]))
            seen.append(type(sys.exc_info()[1]))
        seen.append(sys.exc_info()[1])
        return seen

    g = suspended(run)
    g2 = suspended(run)
    assert g2.switch() == [KeyError, LookupError, None]
    assert g.switch() == [KeyError, LookupError, None]


def test_the_exception_is_released_with_a_killed_greenlet():
    class Custom(Exception):
        pass

    exception = Custom()
    alive = weakref.ref(exception)
    g = handling(exception)
    del exception
    assert alive() is not None
    del g
    gc.collect()
    assert alive() is None


def test_exception_groups_are_split_across_a_switch():
    def run():
        handled = []
        try:
            raise ExceptionGroup("group", [LookupError(1), ValueError(2)])
        except* LookupError as group:
            getcurrent().parent.switch()
            handled.append(len(group.exceptions))
        except* ValueError as group:
            getcurrent().parent.switch()
            handled.append(len(group.exceptions))
        return handled

    g = suspended(run)
    g.switch()
    assert g.switch() == [1, 1]


def test_finally_continues_an_exception_after_a_switch():
    def run():
        try:
            raise LookupError("goes on")
        finally:
            getcurrent().parent.switch()

    g = suspended(run)
    with pytest.raises(LookupError, match="goes on"):
        g.switch()
    assert sys.exc_info() == (None, None, None)


def test_a_switch_while_an_exception_passes_an_exit_method():
    class Manager:
        def __enter__(self):
            pass

        def __exit__(self, kind, value, tb):
            return getcurrent().parent.switch(kind)

    def run():
        with Manager():
            raise LookupError
        return "suppressed"

    g = greenlet(run)
    assert g.switch() is LookupError
    assert g.switch(True) == "suppressed"
