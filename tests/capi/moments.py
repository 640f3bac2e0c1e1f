"""The moments at which states.py calls the C API.

Each moment causes `perform` to be called once.
"""

import gc
import signal
import sys
import weakref

from support.registry import Registry

import greenlet as package
from greenlet import GreenletExit, getcurrent, greenlet

moment = Registry()


def echo(*arguments, **named):
    return arguments or named


@moment
def plainly(perform):
    perform()


@moment
def while_an_exception_is_handled(perform):
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        perform()


@moment
def in_finally_of_an_exception(perform):
    try:
        try:
            raise ZeroDivisionError
        finally:
            perform()
    except ZeroDivisionError:
        pass


@moment
def in_a_destructor(perform):
    class Deleted:
        def __del__(self):
            perform()

    Deleted()


@moment
def in_a_destructor_of_garbage(perform):
    class Deleted:
        def __del__(self):
            perform()

    value = Deleted()
    value.cycle = value
    del value
    gc.collect()


@moment
def in_a_collection(perform):
    def callback(phase, info):
        if phase == "start":
            perform()

    gc.callbacks.append(callback)
    try:
        gc.collect(0)
    finally:
        gc.callbacks.remove(callback)


@moment
def in_a_weak_references_callback(perform):
    class Value:
        pass

    value = Value()
    reference = weakref.ref(value, lambda _: perform())
    del value
    return reference


@moment
def in_a_trace_function(perform):
    def trace(*_):
        sys.settrace(None)
        perform()

    sys.settrace(trace)
    echo()


@moment
def in_a_profile_function(perform):
    def profile(*_):
        sys.setprofile(None)
        perform()

    sys.setprofile(profile)
    echo()


@moment
def in_a_tracer_of_switches(perform):
    caller = getcurrent()

    def trace(*_):
        if getcurrent() is caller:
            package.settrace(None)
            perform()

    package.settrace(trace)
    greenlet(echo).switch()


@moment
def in_a_signal_handler(perform):
    before = signal.signal(signal.SIGUSR1, lambda *_: perform())
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)


@moment
def in_the_key_of_a_sort(perform):
    values = [1]
    values.sort(key=lambda _: perform())


@moment
def in_a_killed_greenlet(perform):
    def run():
        try:
            getcurrent().parent.switch()
        except GreenletExit:
            perform()

    g = greenlet(run)
    g.switch()
    del g


@moment
def with_a_tracer(perform):
    package.settrace(lambda *_: None)
    try:
        perform()
    finally:
        package.settrace(None)


@moment
def with_an_exception_set(perform):
    perform()


@moment
def without_memory(perform):
    perform()
