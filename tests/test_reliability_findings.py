"""What the stress programs (tests/stress) found, each reduced to the behaviour that was wrong."""

import contextvars
import gc
import sys
import threading
import weakref

import pytest
from greenlet import GreenletExit, _greenlet, getcurrent, gettrace, greenlet, settrace


class Subclass(greenlet):
    """Its deallocation passes through CPython's own for subclasses, which calls the finalizer."""


@pytest.mark.parametrize("cls", [greenlet, Subclass])
def test_a_greenlet_that_survives_its_kill_is_not_killed_again(cls, capsys):
    exits = []

    def run():
        for _ in range(3):
            try:
                getcurrent().parent.switch()
            except GreenletExit:
                exits.append(1)

    g = cls(run)
    g.switch()
    del g
    assert exits == [1]
    assert "GreenletExit did not kill" in capsys.readouterr().err
    gc.collect()


def test_one_that_is_never_resumed_while_it_kills_another_is_a_survivor(capsys):
    # The one that was killed kept a reference to the killer as its parent, and nobody noticed that the killer was lost.
    class Leaves:
        def __del__(self):
            getcurrent().parent.switch()

    def killed():
        try:
            getcurrent().parent.switch()
        except GreenletExit:
            return Leaves()  # which goes when the kill is nearly over

    def killer():
        g = greenlet(killed, getcurrent().parent)
        g.switch()
        try:
            getcurrent().parent.switch()
        except GreenletExit:
            del g

    g = greenlet(killer)
    g.switch()  # until the other one waits
    g.switch()  # until it waits itself
    del g
    assert "GreenletExit did not kill" in capsys.readouterr().err


def test_a_greenlet_exit_starts_the_parent_without_arguments():
    def exits():
        raise GreenletExit

    for end in (lambda g: g.switch(), lambda g: g.throw(), lambda g: g.throw(GreenletExit("x"))):
        got = []
        parent = greenlet(lambda *arguments: got.append(arguments))
        end(greenlet(exits, parent))
        assert got == [()]


def test_a_greenlet_exit_for_a_finished_greenlet_starts_the_parent_without_arguments():
    got = []
    finished = greenlet(lambda: None)
    finished.switch()
    finished.parent = greenlet(lambda *arguments: got.append(arguments))
    finished.throw()
    assert got == [()]


def test_what_a_thread_owns_may_use_greenlets_when_it_goes():
    class Late:
        def __del__(self):
            ended_in.append(repr(getcurrent()))

    def target():
        contextvars.ContextVar("v").set(Late())
        getcurrent().attribute = Late()
        kept = Late()
        settrace(lambda *_: kept)

    ended_in = []
    before = _greenlet.get_total_main_greenlets()
    for _ in range(3):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
        del thread  # since 3.14 it has the context that the thread ran in
    assert len(ended_in) == 9
    assert all("current active" in text for text in ended_in)
    assert _greenlet.get_total_main_greenlets() == before


def test_a_tracer_that_fails_is_gone_before_the_exception_it_replaces():
    class Witness:
        def __del__(self):
            seen.append(gettrace())

    def raises():
        witness = Witness()  # noqa: F841 - kept alive by the traceback
        raise KeyError

    def fails(event, greenlets):
        raise ValueError

    seen = []
    settrace(lambda event, greenlets: settrace(fails) if event == "switch" else None)
    with pytest.raises(ValueError):
        greenlet(raises).switch()
    assert seen == [None]


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="there an exception always has its traceback")
def test_the_result_of_a_killed_greenlet_does_not_keep_its_frames():
    class Witness:
        def __del__(self):
            seen.append("gone")

    def run():
        witness = Witness()  # noqa: F841 - kept alive by the frame
        getcurrent().parent.switch()

    seen = []
    g = greenlet(run)
    g.switch()
    result = g.throw()
    assert isinstance(result, GreenletExit)
    assert seen == ["gone"]


def make_surviving_garbage(cls, exits, at_exit):
    """Makes a suspended greenlet that only its own frame refers to, and that survives one GreenletExit."""

    def run(me):
        try:
            getcurrent().parent.switch()
        except GreenletExit:
            exits.append(me)
        try:
            getcurrent().parent.switch()
        finally:
            at_exit()

    g = cls(run)
    g.switch(g)


def test_a_survivor_of_garbage_collection_does_not_run_among_cleared_objects():
    # Its context had been cleared when it was thrown GreenletExit for the second time, and the process crashed.
    ends = []

    def end():
        contextvars.ContextVar("v").set(1)
        ends.append(1)

    class Count:
        append = staticmethod(lambda g: counts.append(1))

    counts = []
    for _ in range(20):
        make_surviving_garbage(greenlet, Count, end)
    gc.collect()
    gc.collect()
    assert (len(counts), len(ends)) == (20, 0)


def test_a_survivor_of_garbage_collection_can_be_resumed_and_is_freed_when_it_finishes():
    survivors = []
    ends = []
    make_surviving_garbage(greenlet, survivors, lambda: ends.append(1))
    gc.collect()
    assert len(survivors) == 1
    reference = weakref.ref(survivors[0])
    survivors.pop().switch()
    assert ends == [1]
    gc.collect()
    assert reference() is None


def test_a_survivor_goes_with_its_thread():
    def target():
        witness = Witness()
        make_surviving_garbage(greenlet, Forget, lambda witness=witness: None)
        del witness
        gc.collect()

    class Witness:
        def __del__(self):
            gone.append(1)

    class Forget:
        append = staticmethod(lambda g: None)

    gone = []
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    gc.collect()
    assert gone == [1]


def test_a_greenlet_with_a_destructor_does_not_run_among_cleared_objects():
    # Its __del__ is what the collector calls, so the greenlet was first ended when objects were being cleared.
    class WithDestructor(greenlet):
        def __del__(self):
            pass

    for _ in range(20):
        make_surviving_garbage(WithDestructor, [], lambda: contextvars.ContextVar("v").set(1))
    gc.collect()
    gc.collect()


def test_recursion_is_an_error_while_a_greenlet_waits_in_the_making_of_an_exception():
    # The interpreter took it for one in the making of the exception, and ended the process.
    class Raised(Exception):
        def __init__(self, text):
            main.switch(text)

    def run():
        main.throw(Raised, "text")

    def down():
        down()

    main = getcurrent()
    g = greenlet(run)
    assert g.switch() == "text"
    with pytest.raises(RecursionError):
        down()
    with pytest.raises(RecursionError):
        greenlet(down).switch()
    with pytest.raises(Raised):
        g.switch()


@pytest.mark.parametrize("cls", [greenlet, Subclass])
def test_the_error_of_a_missing_run_says_of_which_greenlet(cls):
    g = cls()
    with pytest.raises(AttributeError) as raised:
        g.switch()
    assert raised.value.name == "run" and raised.value.obj is g


def test_a_parent_that_becomes_a_child_during_a_kill_makes_no_cycle():
    # While a greenlet is killed, its parent is the one that dropped it, so the old parent may be put below it.
    parent = greenlet(lambda value=None: value)
    survivors = []

    def run():
        try:
            getcurrent().parent.switch()
        finally:
            survivors.append(getcurrent())
            parent.parent = getcurrent()

    g = greenlet(run)
    g.switch()
    g.parent = parent
    del g
    assert survivors[0].dead and parent.parent is survivors[0]
    assert survivors[0].parent is getcurrent()
    assert survivors[0].switch(1) == 1 and parent.switch(2) == 2
    with pytest.raises(ValueError):
        survivors[0].parent = parent


def test_a_chain_of_parents_is_let_go_of_in_order():
    # CPython puts off what is nested too deep, contexts among it: a chain of greenlets must not count as nested.
    class Witness:
        def __init__(self, number):
            self.number = number

        def __del__(self):
            gone.append(self.number)

    def run(number):
        variable.set(Witness(number))

    gone = []
    variable = contextvars.ContextVar("variable")
    g = None
    for number in range(200):
        g = greenlet(run, g)
        g.switch(number)
    assert gone == []
    del g
    assert gone == list(reversed(range(200)))


@pytest.mark.parametrize("cls", [greenlet, Subclass])
def test_a_chain_of_suspended_parents_is_killed_in_order(cls):
    def run(number):
        try:
            main.switch()
        finally:
            killed.append(number)

    killed = []
    main = getcurrent()
    g = main
    for number in range(1000):
        g = cls(run, g)
        g.switch(number)
    del g
    assert killed == list(reversed(range(1000)))


@pytest.mark.parametrize("cls", [greenlet, Subclass])
def test_a_survivor_that_becomes_garbage_later_does_not_run_among_cleared_objects(cls):
    # CPython finalizes an instance of a Python class once: here that was when its last reference went, which it survived.
    def run(main, exceptions):
        friend = None
        try:
            main.switch()
        except GreenletExit as error:
            friend = greenlet(lambda: None)  # a child, which refers to its parent
            try:
                main.switch()
            finally:
                exceptions.append((str(error), friend.dead))

    gc.collect()
    exceptions = []
    g = cls(run)
    g.switch(getcurrent(), exceptions)
    del g
    assert exceptions == []
    gc.collect()
    assert exceptions == [("Killing the greenlet because all references have vanished.", False)]


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


# --- where the reference does something else, or the same only by chance: what random programs showed to differ ---------


def test_the_context_of_a_suspended_greenlet_without_python_frames():
    def other():
        contexts.append(g.gr_context)
        g.gr_context = context
        contexts.append(g.gr_context)

    contexts = []
    context = contextvars.copy_context()
    g = greenlet(greenlet(other).switch)  # a C function
    g.switch()
    assert g.gr_frame is None and contexts == [None, context]


def test_a_survivor_that_finishes_later_is_freed(capsys):
    def run():
        try:
            main.switch()
        except GreenletExit:
            children.append(greenlet(lambda: None))
            main.switch()

    children = []
    main = getcurrent()
    g = greenlet(run)
    reference = weakref.ref(g)
    g.switch()
    del g
    children.pop().switch()  # its parent goes on when it finishes
    assert reference() is None


def test_a_survivor_of_its_kill_that_finishes_later_is_freed(capsys):
    def run():
        try:
            main.switch()
        except GreenletExit:
            main.switch()

    main = getcurrent()
    g = greenlet(run)
    reference = weakref.ref(g)
    g.switch()
    del g
    assert "did not kill" in capsys.readouterr().err
    reference().switch()
    assert reference() is None


def test_a_collection_frees_what_a_suspended_greenlet_had_kept_in_no_promised_order():
    # An earlier collection, which sees what the greenlet keeps, changes the order of the collector's list.
    class Witness:
        def __init__(self, number):
            self.itself = self
            self.number = number

        def __del__(self):
            gone.append(self.number)

    gone = []
    kept = [Witness(1)]
    g = greenlet(lambda kept: getcurrent().parent.switch())
    g.switch(kept.pop())
    Witness(2)
    gc.collect()
    assert gone == [2]
    Witness(3)
    g.switch()
    gc.collect()
    assert sorted(gone) == [1, 2, 3]


def test_a_greenlet_is_active_until_it_has_passed_on_its_result():
    # The parent has yet to be started, and looking for its `run` switches: away, and back to the greenlet that finishes.
    class Parent(greenlet):
        @property
        def run(self):
            seen.append((getcurrent() is g, g.dead, g.switch("itself")))
            seen.append(other.switch())
            return lambda value: ("parent", value)

    seen = []
    main = getcurrent()
    g = greenlet(lambda: "result", Parent())
    other = greenlet(lambda: g.switch("other"), main)
    assert g.switch() == ("parent", "result")
    assert seen == [(True, False, "itself"), "other"]
    assert g.dead


def test_a_greenlet_of_an_ended_thread_is_not_unstarted_again():
    def target():
        g = greenlet(lambda: getcurrent().parent.switch())
        g.switch()
        left.append(g)

    left = []
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    g = left.pop()
    assert g.dead and not hasattr(g, "run")
    with pytest.raises(AttributeError):
        del g.run


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


def test_what_another_thread_released_is_killed_without_loss_of_what_is_passed():
    def run():
        thread = threading.Thread(target=released.clear)
        thread.start()
        thread.join()
        return "result"

    released = [greenlet(lambda: getcurrent().parent.switch())]
    released[0].switch()
    assert greenlet(run).switch() == "result"


@pytest.mark.parametrize("how", ["finishes", "is killed"])
def test_arguments_are_let_go_of_in_the_order_of_a_tuple(how):
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
