"""The collector sees into suspended greenlets: cycles through their frames are garbage like any other."""

import collections
import contextlib
import gc
import sys
import types
import weakref

import pytest
from greenlet import GreenletExit, getcurrent, greenlet
from greenlet._greenlet import get_total_main_greenlets
from support.environment import HAS_ADDRESS_SANITIZER, IS_FREE_THREADED, KEEPS_CLASSES
from support.greenlets import collect, suspended
from support.processes import output_of, run_python
from support.threads import in_thread


class Local:
    pass


@pytest.mark.skipif(not HAS_ADDRESS_SANITIZER, reason="needs AddressSanitizer, which reports it")
@pytest.mark.parametrize("run", ["lambda: None", "None"], ids=["finished", "unstarted"])
def test_the_use_of_a_freed_greenlet_is_reported(run):
    # So builds with that tool keep no freed greenlet for reuse.
    done = run_python(f"""
        import ctypes
        from greenlet import greenlet

        g = greenlet({run})
        if {run} is not None:
            g.switch()
        address = id(g)
        del g
        ctypes.string_at(address, 16)
        """)
    assert done.returncode != 0
    assert "heap-use-after-free" in done.stderr


def test_a_greenlet_that_its_own_frame_refers_to():
    events = []

    def run(cell):
        me = getcurrent()  # noqa: F841
        try:
            me.parent.switch()
        except GreenletExit:
            events.append("killed")
            raise
        finally:
            events.append("finally")

    alive = weakref.ref(suspended(run, []))
    collect()
    assert events == ["killed", "finally"] and alive() is None


def test_a_cycle_through_a_container_argument():
    events = []

    def run(cell):
        try:
            getcurrent().parent.switch()
        finally:
            events.append("finally")

    cell = []
    cell.append(suspended(run, cell))
    alive = weakref.ref(cell[0])
    del cell
    collect()
    assert events == ["finally"] and alive() is None


def test_a_cycle_through_a_closure():
    def make():
        def run():
            getcurrent().parent.switch(me)

        me = greenlet(run)
        me.switch()
        return weakref.ref(me)

    alive = make()
    collect()
    assert alive() is None


def test_a_cycle_through_an_instance_attribute():
    class Owner:
        def __init__(self):
            self.greenlet = greenlet(self.run)
            self.greenlet.switch()

        def run(self):
            getcurrent().parent.switch()

    alive = weakref.ref(Owner())
    collect()
    assert alive() is None


def test_a_cycle_through_the_dictionary_of_the_greenlet():
    g = suspended()
    g.me = g
    alive = weakref.ref(g)
    del g
    collect()
    assert alive() is None


def test_a_cycle_of_two_greenlets():
    events = []

    def run(name, other):
        try:
            getcurrent().parent.switch()
        finally:
            events.append(name)

    a_cell, b_cell = [], []
    a_cell.append(suspended(run, "a", b_cell))
    b_cell.append(suspended(run, "b", a_cell))
    alive = weakref.ref(a_cell[0]), weakref.ref(b_cell[0])
    del a_cell, b_cell
    collect()
    assert sorted(events) == ["a", "b"]
    assert [reference() for reference in alive] == [None, None]


def test_a_cycle_of_parent_and_child():
    alive = []

    def parent():
        child = greenlet(lambda: main.switch())
        alive.append(weakref.ref(child))
        child.switch()

    main = getcurrent()
    g = greenlet(parent)
    alive.append(weakref.ref(g))
    g.switch()
    del g
    collect()
    assert [reference() for reference in alive] == [None, None]


def test_a_cycle_below_many_frames():
    def nested(depth, cell):
        local = Local()  # noqa: F841
        if depth:
            return nested(depth - 1, cell)
        getcurrent().parent.switch()

    cell = []
    cell.append(suspended(nested, 50, cell))
    alive = weakref.ref(cell[0])
    del cell
    collect()
    assert alive() is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the generator can't be closed first
def test_a_cycle_in_a_suspended_generator():
    def generator(cell):
        local = cell  # noqa: F841
        getcurrent().parent.switch()
        yield

    def run(it):
        for _ in it:
            pass

    cell = []
    it = generator(cell)
    cell.append(suspended(run, it))
    alive = weakref.ref(cell[0])
    del cell, it
    collect()
    # A running generator is not looked into by every version of the interpreter.
    assert alive() is None or sys.version_info < (3, 15)


def test_a_cycle_of_values_that_only_the_frame_has():
    class Collected:
        pass

    def run():
        a, b = Collected(), Collected()
        a.other, b.other = b, a
        alive = weakref.ref(a)
        del a, b
        getcurrent().parent.switch(alive)

    g = greenlet(run)
    alive = g.switch()
    collect()
    assert alive() is None and g
    g.switch()


def test_an_exception_whose_traceback_refers_to_the_greenlet():
    def run():
        try:
            raise LookupError
        except LookupError as exception:
            kept = exception  # noqa: F841
            getcurrent().parent.switch()

    alive = weakref.ref(suspended(run))
    collect()
    assert alive() is None


def test_the_context_of_a_greenlet_can_be_part_of_a_cycle():
    import contextvars

    variable = contextvars.ContextVar("variable")

    def run():
        variable.set(getcurrent())
        getcurrent().parent.switch()

    alive = weakref.ref(suspended(run))
    collect()
    assert alive() is None


def test_an_unstarted_greenlet_in_a_cycle():
    class Owner:
        def __init__(self):
            self.greenlet = greenlet(self.run)

        def run(self):
            pytest.fail("ran")

    owner = Owner()
    alive = weakref.ref(owner.greenlet)
    del owner
    collect()
    assert alive() is None


def test_a_finished_greenlet_in_a_cycle():
    g = greenlet(lambda: None)
    g.switch()
    g.me = g
    alive = weakref.ref(g)
    del g
    collect()
    assert alive() is None


def test_what_is_reachable_is_left_alone():
    def run():
        local = Local()
        alive = weakref.ref(local)
        me = getcurrent()
        while True:
            me.parent.switch(alive)

    g = greenlet(run)
    alive = g.switch()
    for _ in range(5):
        collect()
        assert g.switch() is alive and alive() is not None


def test_what_is_only_reachable_through_a_suspended_frame_is_left_alone():
    inner = []

    def run():
        held = suspended()
        inner.append(weakref.ref(held))
        getcurrent().parent.switch()
        return held

    g = suspended(run)
    for _ in range(3):
        collect()
        assert inner[0]() is not None
    held = g.switch()
    assert held and held is inner[0]()


def test_values_on_the_stack_of_an_expression_are_left_alone():
    def run():
        return [Local(), {"k": Local()}, (Local(), getcurrent().parent.switch())]

    g = suspended(run)
    collect()
    first, second, (third, value) = g.switch("value")
    assert all(type(v) is Local for v in (first, second["k"], third)) and value == "value"


def test_loops_over_a_list_are_left_alone():
    def run():
        total = []
        for value in [Local() for _ in range(3)]:
            for _ in (Local(), Local()):
                getcurrent().parent.switch()
                total.append(type(value) is Local)
        return total

    g = suspended(run)
    while g:
        collect()
        result = g.switch()
    assert result == [True] * 6


def accept(**named):
    pass


def clear(local):
    return 1


def leave_except_block(kept, switches):
    try:
        raise kept[0]
    except KeyError:
        try:
            raise switches
        except switches:
            sys.exception().__context__ = None


def set_cell(kept, switches):
    cell = switches()
    cell = kept[0]
    return lambda: cell


def set_item(kept, switches):
    items = {}
    for function in *[lambda: None] * 50, switches, lambda: kept[0]:  # CPython adapts the instruction to dictionaries
        items["key"] = function()


def set_items(kept, switches):
    pairs = [(1, switches), (1, lambda: kept[0])]
    return {key: function() for key, function in pairs}


def set_slice(kept, switches):
    switches()[[kept[0]]:[kept[0]]] = kept[0]


def set_slice_of_what_has_none(kept, switches):
    class WithoutItems(switches):
        __setitem__ = None

    WithoutItems()[[kept[0]]:[kept[0]]] = kept[0]


def pass_too_many(kept, switches):
    accept([kept[0]], [kept[0]], switches())


def pass_too_many_to_a_method(kept, switches):
    types.MethodType(accept, [kept[0]])([kept[0]], switches())


def pass_too_many_and_named(kept, switches):
    accept([kept[0]], switches(), named=kept[0])


def pass_too_many_to_what_goes_then(kept, switches):
    types.FunctionType(accept.__code__.replace(co_consts=(None, str(kept), switches())), {})(1, 2)


def spread_too_many(kept, switches):
    (lambda value=kept[0]: value)(*[switches(), switches()])


def spread(kept, switches):
    [].extend(*[[kept[0], switches()]])
    [].count(*[switches()])


def call_an_attribute(kept, switches):  # crashed nowhere
    owner = switches()
    owner.function = kept[0].with_traceback
    owners = [owner]
    del owner
    owners.pop().function(None)


def call_a_method_of_a_temporary_in_a_loop(kept, switches):
    for _ in (kept[0], kept[0]):
        collections.deque([switches()]).append(1)


def return_from_a_call_in_a_loop(kept, switches):
    for i in (1, 2):
        i + clear(switches())


def spread_in_a_loop(kept, switches):
    for i in (1, 2):
        i + clear(*[switches()])


def in_python(parent):
    """A class of exceptions whose destructors switch to *parent*."""

    class Switches(Exception):
        def __del__(self):
            parent.switch()

        def __setitem__(self, key, value):
            pass

    return Switches


def in_c(parent):
    """The same, with no function of Python in between."""
    return type("Switches", (Exception,), {"__del__": parent.switch, "__setitem__": accept_item})


def accept_item(self, key, value):
    pass


@pytest.mark.parametrize("make_class", [in_python, in_c])
@pytest.mark.parametrize("leave", [
    leave_except_block, set_cell, set_item, set_items, set_slice, set_slice_of_what_has_none, pass_too_many, pass_too_many_to_a_method,
    pass_too_many_and_named,
    pytest.param(pass_too_many_to_what_goes_then,
                 marks=pytest.mark.skipif(IS_FREE_THREADED, reason="constants of code are never let go of there")),
    spread_too_many, spread, call_an_attribute, call_a_method_of_a_temporary_in_a_loop, return_from_a_call_in_a_loop, spread_in_a_loop,
])
class TestValuesThatAFrameHasLetGoOf:
    """Destructors run, and switch, while an instruction has given a value away or let go of it: it is still on the frame's stack of values."""

    def test_are_not_visited(self, leave, make_class):
        kept = [KeyError()]
        g = suspended(leave, kept, make_class(getcurrent()))
        while g:
            gc.collect()  # debug builds of 3.14 and later assert that nothing is visited too often
            assert gc.get_referents(g).count(kept[0]) <= 1
            with contextlib.suppress(TypeError, KeyError):
                g.switch()
        assert len(kept) == 1

    def test_are_not_released(self, leave, make_class):
        kept = [KeyError()]
        other = [KeyError()]
        g = in_thread(lambda: suspended(leave, kept, make_class(getcurrent())))
        assert g.dead
        del g
        kept[0].__traceback__ = None
        collect()
        assert sys.getrefcount(kept[0]) >= sys.getrefcount(other[0])


def test_get_referents_includes_locals():
    def run():
        local = Local()
        getcurrent().parent.switch(local)

    g = greenlet(run)
    local = g.switch()
    assert any(local is referent for referent in gc.get_referents(g))
    assert any(g is referrer for referrer in gc.get_referrers(local))
    g.switch()


def test_a_greenlet_is_tracked():
    assert gc.is_tracked(greenlet()) and gc.is_tracked(getcurrent())


class EventLoop:
    """As those of clients: whatever a callback raises is swallowed, but for what ends the process."""

    def __init__(self, callback, rounds):
        self.callback = callback
        self.rounds = rounds
        self.greenlet = greenlet(self.run)

    def run(self):
        for number in range(10):
            self.rounds.append(number)
            try:
                self.callback()
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException:
                pass


@pytest.mark.parametrize("leave_behind", [lambda use: use(), in_thread], ids=["collected", "thread ends"])
def test_an_event_loop_in_a_cycle_ends_instead_of_going_on(leave_behind):
    rounds = []
    leave_behind(lambda: EventLoop(lambda: getcurrent().parent.switch(), rounds).greenlet.switch())
    collect()
    assert rounds == [0]


def test_catching_greenlet_exit_and_storing_the_greenlet_resurrects_it():
    saved = []

    def run(cell):
        try:
            getcurrent().parent.switch()
        except GreenletExit:
            saved.append(getcurrent())
            getcurrent().parent.switch()
        return "finished later"

    cell = []
    cell.append(suspended(run, cell))
    del cell
    collect()
    assert len(saved) == 1 and saved[0]
    assert saved.pop().switch() == "finished later"


def test_an_exception_raised_instead_is_reported(monkeypatch):
    reports = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: reports.append(type(report.exc_value)))

    def run(cell):
        try:
            getcurrent().parent.switch()
        finally:
            raise LookupError

    cell = []
    cell.append(suspended(run, cell))
    del cell
    collect()
    assert reports == [LookupError]


def test_collecting_inside_a_greenlet_does_not_touch_the_running_ones():
    main = getcurrent()

    def inner():
        local = Local()
        collect()
        return type(local)

    def outer():
        local = Local()
        g = greenlet(inner)
        result = g.switch()
        collect()
        return type(local), result

    assert greenlet(outer).switch() == (Local, Local)
    assert getcurrent() is main


def test_collecting_while_many_are_suspended_changes_nothing():
    def nested(depth, number):
        local = [number] * depth
        if depth:
            return nested(depth - 1, number) + len(local)
        return getcurrent().parent.switch() + number

    greenlets = [suspended(nested, number % 10, number) for number in range(200)]
    for generation in (0, 1, 2):
        gc.collect(generation)
    expected = [number + sum(range(number % 10 + 1)) for number in range(200)]
    assert [g.switch(0) for g in greenlets] == expected


def test_cycles_in_another_thread_are_collected_there():
    def run():
        alive = []

        def body(cell):
            getcurrent().parent.switch()

        cell = []
        cell.append(suspended(body, cell))
        alive.append(weakref.ref(cell[0]))
        del cell
        collect()
        return alive[0]()

    assert in_thread(run) is None


def test_freeze_and_debug_flags_do_no_harm():
    g = suspended()
    gc.freeze()
    collect()
    gc.unfreeze()
    g.switch()
    assert g.dead


def test_thousands_of_cycles_leave_nothing_behind():
    alive = weakref.WeakSet()

    def run(cell):
        local = Local()
        alive.add(local)
        getcurrent().parent.switch()

    for _ in range(3_000):
        cell = []
        cell.append(suspended(run, cell))
    del cell
    collect()
    assert len(alive) == 0


def test_one_to_be_killed_may_finish_before_it_is():
    # Collected in another thread, they are to be killed in theirs. The first one, when that happens, switches to the others, which
    # are killed too, and starts one on a stack that was theirs: crash.
    assert output_of(
        """
        import gc, threading
        from greenlet import getcurrent, greenlet

        started = []

        def wait(others):
            try:
                getcurrent().parent.switch()
            finally:
                for other in others:
                    other.parent = getcurrent()
                    other.switch()
                started.append(greenlet(lambda: getcurrent().parent.switch()))
                started[0].switch()

        def leave_garbage():
            g = greenlet(wait)
            g.others = [greenlet(lambda: getcurrent().parent.switch()) for _ in range(2)]
            g.switch(g.others)
            for other in g.others:
                other.first = g
                other.switch()

        gc.disable()
        leave_garbage()
        collector = threading.Thread(target=gc.collect)
        collector.start()
        collector.join()
        getcurrent().switch()
        print(bool(started[0]))
        """
    ) == "True\n"


def make_cycle(begins):
    """A greenlet, not begun, in a cycle with a function that it calls when it ends, and with the one that *begins* it in a destructor."""
    class Owner:
        def __del__(self):
            begins(self.greenlet)

    def clean_up():
        log.append("cleaned up")

    def run():
        try:
            getcurrent().parent.switch()
        finally:
            clean_up()

    log = []
    g = greenlet(run)
    owner = Owner()
    owner.greenlet = g
    g.owner = clean_up.owner = owner
    return log


def test_what_begins_in_a_destructor_is_not_cleared_by_the_same_collection():
    # The collector has finalized it when it had not begun, and does so once: it was killed when the function had lost its variables.
    log = make_cycle(lambda g: g.switch())
    gc.collect()
    gc.collect()
    assert log == ["cleaned up"]


def test_what_begins_after_a_destructor_has_resurrected_it_is_killed_when_it_is_garbage_again():
    resurrected = []
    log = make_cycle(resurrected.append)
    collect()
    resurrected[0].switch()
    assert log == []
    resurrected.clear()
    gc.collect()  # in which it becomes to be finalized again
    gc.collect()
    assert log == ["cleaned up"]


class TestWhatTheReferenceLeaks:
    """Situations that the documentation and the tracker of greenlet 3.5 name as leaks."""

    def test_cycles_that_a_suspended_frame_made_and_dropped(self):
        alive = []

        def run():
            first, second = Local(), Local()
            first.other, second.other = second, first
            alive.extend(map(weakref.ref, (first, second)))
            del first, second
            getcurrent().parent.switch()

        g = suspended(run)
        assert all(reference() for reference in alive)
        collect()
        assert g and not any(reference() for reference in alive)

    def test_cycles_in_the_frame_of_a_greenlet_that_another_one_left_behind(self):
        alive = []

        def inner():
            first, second = Local(), Local()
            first.other, second.other = second, first
            alive.extend(map(weakref.ref, (first, second)))
            getcurrent().parent.switch()

        def outer():
            g = greenlet(inner)
            g.switch()
            collect()
            assert g and all(reference() for reference in alive)

        g = greenlet(outer)
        g.switch()
        assert g.dead
        collect()
        assert not any(reference() for reference in alive)

    def test_greenlets_that_hold_each_other_in_a_ring(self):
        alive = weakref.WeakSet()

        def run(following):
            value = Local()
            alive.add(value)
            getcurrent().parent.switch()
            return following, value

        cells = [[] for _ in range(50)]
        for number, cell in enumerate(cells):
            cell.append(suspended(run, cells[(number + 1) % 50]))
        assert len(alive) == 50
        del cells, cell
        collect()
        assert len(alive) == 0

    def test_a_run_that_holds_its_greenlet(self):
        class Job:
            def work(self):
                getcurrent().parent.switch()

        job = Job()
        job.greenlet = greenlet(job.work)
        job.greenlet.switch()
        alive = weakref.ref(job)
        del job
        collect()
        assert alive() is None

    def test_a_caught_exception_that_leads_back_to_the_suspended_frame(self):
        alive = []

        def run():
            value = Local()
            alive.append(weakref.ref(value))
            me = getcurrent()
            try:
                raise ValueError(me, value)
            except ValueError as exception:
                value.exception = exception
                me.parent.switch()

        suspended(run)
        collect()
        assert alive[0]() is None

    def test_greenlets_of_a_thread_that_another_one_held(self):
        alive = weakref.WeakSet()
        held = []

        def run():
            value = Local()
            value.greenlet = getcurrent()
            alive.add(value)
            getcurrent().parent.switch()

        for _ in range(20):
            in_thread(lambda: held.extend([suspended(run), getcurrent()]))
        assert len(alive) == 20
        held.clear()
        collect()
        assert len(alive) == 0

    def test_main_greenlets_of_threads_that_ended_without_another_word(self):
        before = get_total_main_greenlets()
        alive = [weakref.ref(in_thread(getcurrent)) for _ in range(20)]
        collect()
        assert not any(reference() for reference in alive)
        assert get_total_main_greenlets() == before

    def test_starting_and_finishing_again_and_again(self):
        def blocks():
            for _ in range(2000):
                assert greenlet(lambda *arguments: arguments, getcurrent()).switch(1, 2) == (1, 2)
            collect()
            return sys.getallocatedblocks()

        blocks()
        before = blocks()
        assert blocks() - before < 100


# Free-threaded builds do not count the references that frames have to functions and their code. The garbage collector has
# to find them.
NAMED_ONCE = """
import gc
import weakref
from greenlet import getcurrent, greenlet

main = getcurrent()
namespace = {}

def define(source, **names):
    namespace.update(names)
    exec(source, namespace)

def forget(*names):
    kept = [weakref.ref(namespace.pop(name)) for name in names]
    gc.collect()
    return kept

def print_freed(references):
    gc.collect()
    print([reference() is None for reference in references])
"""

FREED = str([not KEEPS_CLASSES] * 2)

SUSPENDED = """
define("def callee(): return main.switch()\\ndef run(): return callee()", main=main)
g = made_of(namespace["run"])
g.switch()
kept = forget("run", "callee")
print(g.switch("value"), g.dead)
del g
print_freed(kept)
"""


def test_functions_that_a_suspended_greenlet_runs_are_kept():
    assert output_of(
        NAMED_ONCE
        + "made_of = greenlet"
        + SUSPENDED
    ).splitlines() == ["value True", FREED]


def test_functions_that_a_suspended_greenlet_with_a_destructor_runs_are_kept():
    assert output_of(
        NAMED_ONCE
        + """
class Destroyed(greenlet):
    def __del__(self):
        pass

made_of = Destroyed"""
        + SUSPENDED
    ).splitlines() == ["value True", FREED]


def test_functions_that_a_suspended_main_greenlet_runs_are_kept():
    assert output_of(
        NAMED_ONCE
        + """
g = greenlet(lambda: main.switch(forget("run", "callee")))
define("def callee(): return g.switch()\\ndef run(): return callee()", g=g)
print_freed(namespace["run"]())
"""
    ) == FREED + "\n"
