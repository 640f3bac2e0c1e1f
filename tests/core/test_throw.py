"""throw(): the forms of its arguments, and where the exception is raised."""

import gc
import sys
import traceback

import pytest
from support.greenlets import suspended

from greenlet import GreenletExit, error, getcurrent, greenlet


class Custom(Exception):
    pass


def catcher():
    """Return a suspended greenlet that returns the exception raised in it, or the value it is resumed with."""

    def run():
        try:
            return getcurrent().parent.switch()
        except BaseException as exception:
            return exception

    return suspended(run)


def a_traceback():
    try:
        raise LookupError("original")
    except LookupError as exception:
        return exception.__traceback__


def test_a_class():
    raised = catcher().throw(Custom)
    assert type(raised) is Custom and raised.args == ()


def test_an_instance():
    exception = Custom("message")
    assert catcher().throw(exception) is exception


@pytest.mark.parametrize("value, args", [(None, ()), ("text", ("text",)), (("a", 1), ("a", 1)), ((), ()), (0, (0,))])
def test_a_class_and_a_value(value, args):
    raised = catcher().throw(Custom, value)
    assert type(raised) is Custom and raised.args == args


def test_a_class_and_an_instance_of_it():
    exception = Custom("message")
    assert catcher().throw(Custom, exception) is exception


def test_a_class_and_an_instance_of_a_subclass():
    class Sub(Custom):
        pass

    exception = Sub("message")
    assert catcher().throw(Custom, exception) is exception


def test_none_for_the_value_and_the_traceback():
    exception = Custom()
    assert catcher().throw(exception, None, None) is exception


def test_a_traceback_is_where_it_begins():
    raised = catcher().throw(Custom, "message", a_traceback())
    assert "a_traceback" in [frame.name for frame in traceback.extract_tb(raised.__traceback__)]


def test_an_instance_with_a_traceback():
    exception = Custom()
    raised = catcher().throw(exception, None, a_traceback())
    assert raised is exception
    assert "a_traceback" in [frame.name for frame in traceback.extract_tb(raised.__traceback__)]


def test_an_instance_keeps_the_traceback_it_has():
    exception = Custom().with_traceback(a_traceback())
    raised = catcher().throw(exception)
    assert "a_traceback" in [frame.name for frame in traceback.extract_tb(raised.__traceback__)]


def test_without_arguments_it_is_greenlet_exit():
    raised = catcher().throw()
    assert type(raised) is GreenletExit


def test_it_is_raised_at_the_switch_that_suspended():
    g = suspended()
    with pytest.raises(Custom) as caught:
        g.throw(Custom)
    assert [entry.name for entry in caught.traceback][-1] == "run"
    assert g.dead


def test_the_target_may_go_on():
    def run():
        main = getcurrent().parent
        while True:
            try:
                main.switch("waiting")
            except Custom as exception:
                main.switch(exception.args)

    g = suspended(run)
    assert g.throw(Custom, 1) == (1,)
    assert g.switch() == "waiting"
    assert g.throw(Custom(2)) == (2,)
    assert g


@pytest.mark.parametrize(
    "arguments",
    [
        (1,),
        ("text",),
        (None,),
        (object,),
        (object(),),
        (Custom(), "value"),
        (Custom("a"), Custom("b")),
        (Custom, None, 1),
        (Custom, None, "traceback"),
        (Custom(), None, object()),
        (Custom, None, None, None),
    ],
)
@pytest.mark.parametrize("state", ["unstarted", "suspended", "finished", "current"])
def test_wrong_arguments_are_a_type_error_in_the_caller(arguments, state):
    main = getcurrent()
    calls = []
    g = {
        "unstarted": lambda: greenlet(calls.append),
        "suspended": catcher,
        "finished": lambda: greenlet(lambda: None),
        "current": getcurrent,
    }[state]()
    if state == "finished":
        g.switch()
    before = bool(g), g.dead
    with pytest.raises(TypeError):
        g.throw(*arguments)
    assert getcurrent() is main and calls == []
    assert (bool(g), g.dead) == before
    if state == "suspended":
        assert g.switch("still waiting") == "still waiting"


def test_keyword_arguments_are_refused():
    with pytest.raises(TypeError):
        greenlet().throw(typ=Custom)


def test_a_class_whose_constructor_fails_is_replaced_by_that_failure():
    class Unmakable(Exception):
        def __init__(self):
            raise LookupError("in the constructor")

    raised = catcher().throw(Unmakable)
    assert type(raised) is LookupError


def test_a_class_of_the_wrong_arguments_is_a_type_error_raised_in_the_target():
    class Particular(Exception):
        def __init__(self, one, two):
            super().__init__(one, two)

    raised = catcher().throw(Particular, "only one")
    assert type(raised) is TypeError


def test_into_the_current_greenlet_raises_at_once():
    with pytest.raises(Custom, match="here"):
        getcurrent().throw(Custom("here"))
    g = greenlet(lambda: g.throw(Custom, "there"))
    with pytest.raises(Custom, match="there"):
        g.switch()


def test_greenlet_exit_into_the_current_greenlet_raises_too():
    with pytest.raises(GreenletExit):
        getcurrent().throw()


def test_into_an_unstarted_greenlet_ends_it():
    calls = []
    g = greenlet(calls.append)
    with pytest.raises(Custom, match="never began"):
        g.throw(Custom("never began"))
    assert g.dead and calls == []


def test_greenlet_exit_into_an_unstarted_greenlet_is_returned():
    g = greenlet(lambda: None)
    result = g.throw()
    assert type(result) is GreenletExit and g.dead


def test_into_an_unstarted_greenlet_goes_to_its_parent():
    main = getcurrent()

    def run():
        try:
            main.switch()
        except Custom:
            return "caught by the parent"

    parent = suspended(run)
    assert greenlet(len, parent).throw(Custom) == "caught by the parent"


def test_into_a_finished_greenlet_goes_to_its_parent():
    g = greenlet(lambda: None)
    g.switch()
    with pytest.raises(Custom):
        g.throw(Custom)
    g.parent = catcher()
    raised = g.throw(Custom, 5)
    assert type(raised) is Custom and raised.args == (5,)


def test_greenlet_exit_into_a_finished_greenlet_is_returned():
    g = greenlet(lambda: None)
    g.switch()
    exit = GreenletExit("too late")
    assert g.throw(exit) is exit
    result = g.throw(GreenletExit, 1, None)
    assert type(result) is GreenletExit and result.args == (1,)


def test_greenlet_exit_into_a_suspended_greenlet_is_its_result():
    finished = []

    def run():
        try:
            getcurrent().parent.switch()
        finally:
            finished.append(True)

    g = suspended(run)
    result = g.throw(GreenletExit("stop"))
    assert result.args == ("stop",) and finished == [True] and g.dead


def test_into_a_suspended_main_greenlet():
    main = getcurrent()
    g = greenlet(lambda: main.throw(Custom("into main")))
    with pytest.raises(Custom, match="into main"):
        g.switch()
    assert g and not g.dead


def test_the_exception_is_not_the_callers_after_the_switch_back():
    g = suspended(lambda: [getcurrent().parent.switch() for _ in iter(int, 1) if True])
    try:
        g.throw(Custom)
    except Custom:
        pass
    assert sys.exc_info() == (None, None, None)


def test_into_a_greenlet_of_another_thread_is_an_error():
    from support.threads import in_thread

    g = suspended()

    def run():
        with pytest.raises(error):
            g.throw(Custom)
        with pytest.raises(TypeError):
            g.throw(1)
        assert sys.exc_info() == (None, None, None)

    in_thread(run)
    assert g
    g.switch()


def test_without_a_run_is_no_hindrance():
    g = greenlet()
    try:
        g.throw(Custom)
    except (Custom, AttributeError):
        pass
    assert getcurrent().parent is None


def test_references_to_what_is_thrown_are_balanced():

    exception = Custom()

    def forever():
        while True:
            try:
                getcurrent().parent.switch()
            except Custom as e:
                e.__traceback__ = e.__context__ = None

    g = suspended(forever)
    gc.collect()
    before = sys.getrefcount(exception), sys.getrefcount(Custom)
    for _ in range(1000):
        g.throw(exception)
        g.throw(Custom)
        g.throw(Custom, exception)
        with pytest.raises(TypeError):
            g.throw(exception, exception)
    gc.collect()
    after = sys.getrefcount(exception), sys.getrefcount(Custom)
    assert after[0] == before[0] and after[1] <= before[1] + 5


@pytest.mark.parametrize("arguments", [(1,), ()])
def test_an_exception_is_made_by_the_one_who_throws_it(arguments):
    class Error(Exception):
        def __init__(self, argument):
            makers.append(getcurrent())
            super().__init__(argument)

    makers = []
    main = getcurrent()
    g = greenlet(lambda: main.switch())
    g.switch()
    thrower = greenlet(lambda: g.throw(Error, *arguments), g)
    with pytest.raises(Error if arguments else TypeError):
        thrower.switch()
    assert makers == [thrower] * len(arguments)
