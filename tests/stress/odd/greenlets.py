"""Odd programs about greenlets as objects: their attributes, arguments and parents."""

import contextlib
import copy
import gc

from stress.odd.common import main, parrot, program, raises, suspended

from greenlet import getcurrent, greenlet


@program
def run_is_its_own_switch():
    g = greenlet()
    g.run = g.switch
    assert g.switch(5) == 5 and g.dead


@program
def run_is_a_greenlet():
    raises(TypeError, greenlet(greenlet(parrot)).switch)


@program
def class_is_changed_while_suspended():
    class Other(greenlet):
        def __del__(self):
            events.append("del")

    class Slots(greenlet):
        __slots__ = ("a", "b")

    class Plain(greenlet):
        pass

    events = []
    g = suspended(cls=Plain)
    g.__class__ = Other
    raises(TypeError, setattr, g, "__class__", Slots)
    raises(TypeError, setattr, g, "__class__", int)
    assert g.switch(3) == 3
    del g
    assert events == ["del"]
    cell = [suspended(cls=Plain)]
    cell[0].cell = cell
    cell[0].__class__ = Other
    del cell
    gc.collect()


@program
def dictionary_is_replaced_while_it_is_looked_into():
    class Dictionary(dict):
        def __del__(self):
            g.__dict__ = {}
            g.switch("from the dictionary")

    g = suspended()
    for _ in range(10):
        g.__dict__ = Dictionary(a=1)
        g.__dict__ = {}
    assert g.switch(1) == 1


@program
def run_is_deleted_while_it_is_looked_for():
    class Odd(greenlet):
        @property
        def run(self):
            greenlet.run.__set__(self, parrot)
            greenlet.run.__delete__(self)
            self.__init__ = None
            return parrot

    g = Odd()
    g.switch()
    assert g.switch(2) == 2


@program
def long_chains_of_parents():
    g = main
    for _ in range(5000):
        g = greenlet(lambda value=0: value + 1, g)
    assert g.switch() == 5000
    chain = greenlet(parrot)
    for _ in range(8000):
        chain = greenlet(parrot, chain)
    del chain
    chain = suspended()
    for _ in range(1000):
        chain = greenlet(len, chain)
    with contextlib.suppress(TypeError):
        chain.switch(None)


@program
def init_again_in_every_state():
    g = greenlet(parrot)
    g.__init__(parrot)
    g.switch()
    raises(AttributeError, g.__init__, parrot)
    g.__init__()
    g.__init__(parent=main)
    g.throw()
    raises(AttributeError, g.__init__, parrot)
    main.__init__()
    raises(AttributeError, main.__init__, parrot)
    raises(AttributeError, main.__init__, None, main)
    raises(TypeError, greenlet.__init__, 5)
    raises(TypeError, greenlet.__new__, int)
    raises(TypeError, greenlet.__new__)
    raises(TypeError, object.__new__, greenlet)
    raises(TypeError, greenlet.switch, 5)
    raises(TypeError, greenlet.switch)
    raises(TypeError, greenlet.throw, 5)
    raises(TypeError, greenlet.dead.__get__, 5)
    raises(TypeError, greenlet.gr_frame.__get__, None)
    raises(TypeError, setattr, greenlet, "switch", None)


@program
def many_arguments():
    def echo(*arguments, **named):
        while True:
            arguments, named = getcurrent().parent.switch(arguments, named), {}

    named = {f"n{i}": i for i in range(5000)}
    g = greenlet(echo)
    arguments, keywords = g.switch(*range(100_000), **named)
    assert len(arguments) == 100_000 and keywords == named
    (arguments, keywords), nothing = g.switch(*range(100_000), **named)
    assert len(arguments) == 100_000 and len(keywords) == 5000 and nothing == {}


@program
def keywords_that_are_odd_strings():
    class Name(str):
        def __eq__(self, other):
            g.switch("compared")
            return str.__eq__(self, other)

        def __hash__(self):
            g.switch("hashed")
            return str.__hash__(self)

    g = suspended()
    with contextlib.suppress(TypeError):
        greenlet(**{Name("run"): len, Name("parent"): main})
    with contextlib.suppress(TypeError):
        greenlet(parrot).switch(**{Name("value"): 1})
    g.switch(**{Name("value"): 1})
    raises(TypeError, greenlet, wrong=1)
    raises(TypeError, greenlet, parrot, main, 5)
    raises(TypeError, greenlet, parrot, run=parrot)


@program
def names_of_arguments_use_the_greenlet_they_are_for():
    class Name(str):
        __eq__ = str.__eq__

        def __hash__(self):
            if armed:
                armed.clear()
                seen.append(g.switch("from the hash"))
            return str.__hash__(self)

    for run in (lambda: getcurrent().parent.switch(), parrot):
        g = suspended(run)
        armed, seen = [], []
        named = {Name("a"): 1, Name("b"): 2}
        armed.append(True)
        assert g.switch(**named) == {"a": 1, "b": 2}
        assert seen == ["from the hash"]


@program
def copies():
    for g in (greenlet(), suspended(), main):
        raises(TypeError, copy.deepcopy, g)
        with contextlib.suppress(TypeError):
            copy.copy(g).switch()
