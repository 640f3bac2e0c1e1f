"""A client in C++: its exceptions and destructors in greenlets."""

import pytest

from greenlet import getcurrent, greenlet


@pytest.fixture(autouse=True)
def destructors_ran(client_cpp):
    yield
    assert client_cpp.count_guards() == 0


@pytest.mark.parametrize("depth", [0, 1, 100])
def test_an_exception_is_caught_in_the_main_greenlet_and_in_others(client_cpp, depth):
    assert client_cpp.throw_and_catch(depth, "main") == "main"
    assert greenlet(client_cpp.throw_and_catch).switch(depth, "greenlet") == "greenlet"


def test_an_exception_is_caught_after_a_switch(client_cpp):
    g = greenlet(client_cpp.switch_then_throw)
    g.switch(5, "after the switch")
    assert client_cpp.throw_and_catch(5, "in between") == "in between"
    assert g.switch() == "after the switch"


def test_many_greenlets_throw_in_turn(client_cpp):
    greenlets = [greenlet(client_cpp.switch_then_throw) for _ in range(20)]
    for number, g in enumerate(greenlets):
        g.switch(number, str(number))
    assert [g.switch() for g in reversed(greenlets)] == [str(number) for number in reversed(range(20))]


def test_a_handler_may_switch(client_cpp):
    g = greenlet(client_cpp.switch_in_handler)
    g.switch(5, "handled")
    assert client_cpp.throw_and_catch(5, "in between") == "in between"
    assert g.switch() == "handled"


def test_destructors_run_when_a_greenlet_is_killed(client_cpp):
    g = greenlet(client_cpp.switch_then_throw)
    g.switch(1, "never thrown")
    assert client_cpp.count_guards() == 1
    del g
    assert client_cpp.count_guards() == 0


def test_destructors_run_below_python_frames(client_cpp):
    def nested(depth):
        if depth:
            return client_cpp.call_guarded(lambda: nested(depth - 1))
        return getcurrent().parent.switch(client_cpp.count_guards())

    g = greenlet(nested)
    assert g.switch(20) == 20
    with pytest.raises(LookupError):
        g.throw(LookupError)
    assert client_cpp.count_guards() == 0
