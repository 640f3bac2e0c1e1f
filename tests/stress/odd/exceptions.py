"""Odd programs about exceptions and tracebacks."""

import contextlib
import gc
import sys
import traceback
import types

from stress.odd.common import main, parrot, program, raises, suspended

from greenlet import GreenletExit, getcurrent, greenlet


@program
def exceptions_that_do_harm_when_they_are_made():
    class NoException(Exception):
        def __new__(cls, *_):
            return 5

    class Switches(Exception):
        def __new__(cls, *arguments):
            victim[0].switch("during the making")
            return super().__new__(cls, *arguments)

    class Kills(Exception):
        def __init__(self, *_):
            victim.clear()
            gc.collect()

    class Meta(type):
        def __instancecheck__(cls, instance):
            victim[0].throw(KeyError)
            victim.clear()
            return True

        def __subclasscheck__(cls, other):
            return bool(main.switch())

    class Checked(Exception, metaclass=Meta):
        pass

    for kind, value in ((NoException, None), (Switches, None), (Kills, None), (Checked, ValueError()), (Checked, "x")):
        victim = [suspended()]
        with contextlib.suppress(BaseException):
            victim[0].throw(kind, value)
        victim = [greenlet(parrot)]
        with contextlib.suppress(BaseException):
            victim[0].throw(kind, value)


@program
def tracebacks_that_are_not_theirs():
    def fails():
        raise ValueError

    try:
        fails()
    except ValueError as error:
        foreign = error.__traceback__
    g = suspended()
    raises(ValueError, g.throw, ValueError, None, foreign)
    g = greenlet(parrot)
    raises(ValueError, g.throw, ValueError, None, foreign)
    foreign.tb_next = None
    made = types.TracebackType(foreign, suspended().gr_frame, 0, 1)
    try:
        suspended().throw(ValueError, None, made)
    except ValueError as error:
        traceback.format_exception(error)


@program
def throw_and_finally_without_end():
    def run():
        while True:
            try:
                getcurrent().parent.switch()
            except BaseException:
                if len(times) < 200:
                    times.append(1)
                    with contextlib.suppress(BaseException):
                        getcurrent().throw(ValueError)
                    with contextlib.suppress(BaseException):
                        suspended(run).throw(KeyError)

    times = []
    g = suspended(run)
    for _ in range(10):
        g.throw(ValueError)
        g.throw()
    sys.stderr = None
    del g
    gc.collect()
    sys.stderr = sys.__stderr__


@program
def groups_of_exceptions_across_switches():
    def run():
        try:
            raise ExceptionGroup("group", [ValueError(getcurrent()), KeyError()])
        except* ValueError as group:
            getcurrent().parent.switch(group)
        except* KeyError:
            getcurrent().parent.switch(2)

    g = greenlet(run)
    group = g.switch()
    assert g.switch() == 2
    raises(ExceptionGroup, g.throw, ExceptionGroup("other", [group]))
    del g, group
    gc.collect()


@program
def the_making_of_an_exit_ends_what_it_is_for():
    class Box:
        def __del__(self):
            found.append(self.g)

    def initialize(self, *_):
        if found:
            found.pop().switch()

    found = []
    GreenletExit.__init__ = initialize
    box, g = Box(), suspended(lambda: getcurrent().parent.switch())
    box.g, g.box = g, box
    del g, box
    gc.collect()
    g = suspended(lambda: getcurrent().parent.switch())
    found.append(g)
    g.__del__()
    assert g.dead
    del GreenletExit.__init__
