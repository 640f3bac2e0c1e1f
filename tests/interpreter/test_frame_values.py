"""Values that a suspended frame no longer owns are neither visited nor released."""

import collections
import contextlib
import gc
import sys
import types

import pytest
from support.environment import IS_FREE_THREADED, KEEPS_CLASSES
from support.greenlets import collect, suspended
from support.processes import output_of
from support.threads import in_thread

from greenlet import getcurrent


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
    # The first calls let CPython specialize the instruction for dictionaries.
    for function in *[lambda: None] * 50, switches, lambda: kept[0]:
        items["key"] = function()


def set_items(kept, switches):
    pairs = [(1, switches), (1, lambda: kept[0])]
    return {key: function() for key, function in pairs}


def set_slice(kept, switches):
    switches()[[kept[0]] : [kept[0]]] = kept[0]


def set_slice_of_what_has_none(kept, switches):
    class WithoutItems(switches):
        __setitem__ = None

    WithoutItems()[[kept[0]] : [kept[0]]] = kept[0]


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


def call_an_attribute(kept, switches):  # has never crashed
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
    """Return a class of exceptions whose destructors switch to *parent*."""

    class Switches(Exception):
        def __del__(self):
            parent.switch()

        def __setitem__(self, key, value):
            pass

    return Switches


def in_c(parent):
    """The same without a Python function in between."""
    return type("Switches", (Exception,), {"__del__": parent.switch, "__setitem__": accept_item})


def accept_item(self, key, value):
    pass


@pytest.mark.parametrize("make_class", [in_python, in_c])
@pytest.mark.parametrize(
    "leave",
    [
        leave_except_block,
        set_cell,
        set_item,
        set_items,
        set_slice,
        set_slice_of_what_has_none,
        pass_too_many,
        pass_too_many_to_a_method,
        pass_too_many_and_named,
        pytest.param(
            pass_too_many_to_what_goes_then,
            marks=pytest.mark.skipif(IS_FREE_THREADED, reason="constants of code are never released there"),
        ),
        spread_too_many,
        spread,
        call_an_attribute,
        call_a_method_of_a_temporary_in_a_loop,
        return_from_a_call_in_a_loop,
        spread_in_a_loop,
    ],
)
class TestValuesThatAFrameHasReleased:
    """Destructors switch while an instruction has released a value that is still on the frame's value stack."""

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


# Free-threaded builds do not count the references of frames to functions and their code. The garbage collector has to
# find them.
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
    assert output_of(NAMED_ONCE + "made_of = greenlet" + SUSPENDED).splitlines() == ["value True", FREED]


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
    assert (
        output_of(
            NAMED_ONCE
            + """
g = greenlet(lambda: main.switch(forget("run", "callee")))
define("def callee(): return g.switch()\\ndef run(): return callee()", g=g)
print_freed(namespace["run"]())
"""
        )
        == FREED + "\n"
    )
