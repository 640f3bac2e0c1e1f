"""Programs that do with greenlets what nobody should: each in a process of its own, and none may crash or hang it.

usage: odd_programs.py NAME            runs one, prints "NAME: survived"
       odd_programs.py                 the names
"""

import _thread
import contextlib
import contextvars
import copy
import faulthandler
import functools
import gc
import importlib
import inspect
import itertools
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
import tracemalloc
import types
import weakref

import greenlet as package
from greenlet import GreenletExit, getcurrent, greenlet

PROGRAMS = {}
main = getcurrent()


def program(function):
    PROGRAMS[function.__name__] = function
    return function


def parrot(value=None):
    while True:
        value = getcurrent().parent.switch(value)


def suspended(run=parrot, *arguments, cls=greenlet):
    g = cls(run)
    g.switch(*arguments)
    return g


def raises(kind, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except kind:
        return
    raise AssertionError(f"{function} did not raise {kind}")


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
def generators_shared_by_greenlets():
    def generate():
        try:
            while True:
                yield getcurrent().parent.switch("in the generator")
        finally:
            getcurrent()

    generator = generate()
    g = greenlet(lambda: next(generator))
    assert g.switch() == "in the generator"
    raises(ValueError, next, generator)
    raises(ValueError, generator.send, 1)
    raises(ValueError, generator.throw, KeyError)
    raises(ValueError, generator.close)
    raises(RuntimeError, generator.gi_frame.clear)
    assert inspect.getgeneratorstate(generator) == inspect.GEN_RUNNING
    frame = generator.gi_frame
    assert g.switch("value") == "value"
    del g
    other = greenlet(lambda: next(generator))
    assert other.switch() == "in the generator"
    weak = weakref.ref(generator)
    del generator, other
    gc.collect()
    assert weak() is None or frame is not None
    traceback.extract_stack(frame)


@program
def coroutines_left_running_in_a_killed_greenlet():
    @types.coroutine
    def leaf():
        yield getcurrent().parent.switch("below")

    async def run():
        async with Manager():
            await leaf()

    class Manager:
        async def __aenter__(self):
            pass

        async def __aexit__(self, *_):
            await leaf()

    coroutine = run()
    g = greenlet(coroutine.send)
    assert g.switch(None) == "below"
    raises(ValueError, coroutine.send, None)
    frame = coroutine.cr_frame
    del g
    gc.collect()
    with contextlib.suppress(ValueError):
        coroutine.close()
    traceback.extract_stack(frame)


@program
def frames_outlive_their_greenlet():
    def down(depth, value):
        if depth:
            return down(depth - 1, [value, depth])
        getcurrent().parent.switch()

    frames = []
    for _ in range(20):
        g = suspended(down, 50, "value")
        frame = g.gr_frame
        while frame is not None:
            frames.append(frame)
            frame = frame.f_back
        raises(RuntimeError, g.gr_frame.clear)
        frames[-1].f_trace = lambda *_: None
        del g, frame
    others = [suspended() for _ in range(100)]
    for frame in frames:
        frame.f_locals, frame.f_lineno, frame.f_back, repr(frame)
        with contextlib.suppress(RuntimeError):
            frame.clear()
    assert [g.switch(1) for g in others] == [1] * 100


@program
def variables_are_changed_from_outside():
    def run(value):
        while value != "end":
            getcurrent().parent.switch(value)

    g = suspended(run, "before")
    frame = g.gr_frame
    for _ in range(100):
        frame.f_locals["value"] = ["changed"]
    frame.f_locals["new"] = g
    raises(ValueError, setattr, frame, "f_lineno", frame.f_lineno + 1)
    run.__code__ = parrot.__code__
    run.__defaults__ = None
    g.switch()
    gc.collect()


@program
def recursion_limit_is_lowered_while_others_are_deep():
    def down(depth):
        if depth:
            return down(depth - 1)
        return getcurrent().parent.switch()

    greenlets = [suspended(down, 500) for _ in range(10)]
    sys.setrecursionlimit(100)
    for g in greenlets:
        with contextlib.suppress(RecursionError):
            g.switch()
    greenlets = [suspended() for _ in range(3)]
    sys.setrecursionlimit(10_000)
    assert [g.switch(1) for g in greenlets] == [1] * 3


@program
def kill_at_the_recursion_limit():
    def ends():
        try:
            getcurrent().parent.switch()
        finally:
            events.append(sorted([2, 1], key=lambda value: value))

    def down():
        g = suspended(ends)
        try:
            down()
        finally:
            del g

    events = []
    sys.unraisablehook = lambda _: None
    raises(RecursionError, down)
    assert len(events) > 100


@program
def contexts_are_left_in_another_order():
    context = contextvars.copy_context()
    variable = contextvars.ContextVar("variable")
    inside = greenlet(lambda: context.run(main.switch, 1))
    assert inside.switch() == 1
    raises(RuntimeError, context.run, len, "")
    other = greenlet(lambda: getcurrent().parent.switch(2))
    other.gr_context = context
    assert other.switch() == 2
    with contextlib.suppress(RuntimeError):
        inside.gr_context = contextvars.copy_context()
        inside.switch()
    with contextlib.suppress(RuntimeError):
        contextvars.copy_context().run(lambda: setattr(getcurrent(), "gr_context", context))
    with contextlib.suppress(RuntimeError):
        contextvars.copy_context().run(lambda: setattr(getcurrent(), "gr_context", None))
    other.switch()
    tokens = []
    greenlet(lambda: tokens.append(variable.set(1))).switch()
    with contextlib.suppress(ValueError):
        variable.reset(tokens[0])


@program
def imports_that_switch():
    folder = tempfile.mkdtemp()
    sys.path.insert(0, folder)
    with open(os.path.join(folder, "switching_module.py"), "w") as file:
        file.write("from greenlet import getcurrent\nif getcurrent().parent: getcurrent().parent.switch()\nvalue = 1\n")
    g = greenlet(lambda: importlib.import_module("switching_module"))
    other = greenlet(lambda: importlib.import_module("switching_module"))
    g.switch()
    with contextlib.suppress(ImportError):
        other.switch()
    g.switch()
    del g, other
    gc.collect()
    assert importlib.import_module("switching_module").value == 1
    os.remove(os.path.join(folder, "switching_module.py"))


@program
def destructors_that_resurrect_and_switch_to_themselves():
    class Undead(greenlet):
        def __del__(self):
            kept.append(self)
            with contextlib.suppress(BaseException):
                self.switch("again")
            with contextlib.suppress(BaseException):
                self.parent = greenlet(parrot)
            with contextlib.suppress(BaseException):
                self.throw()

    kept = []
    for make in (lambda: Undead(parrot), lambda: suspended(cls=Undead)):
        for _ in range(3):
            g = make()
            del g
            gc.collect()
    for g in kept:
        repr(g), g.dead, g.gr_frame
    kept.clear()
    gc.collect()


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
def monitoring_callbacks_that_switch():
    if not hasattr(sys, "monitoring"):
        return
    events = sys.monitoring.events

    def callback(*_):
        sys.monitoring.set_events(3, 0)
        g.switch()
        greenlet(len).switch("")
        sys.monitoring.set_events(3, events.PY_START | events.LINE | events.PY_RETURN | events.CALL)
        return sys.monitoring.DISABLE

    sys.monitoring.use_tool_id(3, "switches")
    for event in (events.PY_START, events.LINE, events.PY_RETURN, events.CALL):
        sys.monitoring.register_callback(3, event, callback)
    g = suspended()
    for _ in range(20):
        with contextlib.suppress(RecursionError):
            sys.monitoring.set_events(3, events.PY_START | events.LINE | events.PY_RETURN | events.CALL)
            suspended().switch(1)
    sys.monitoring.set_events(3, 0)
    sys.monitoring.free_tool_id(3)
    gc.collect()


@program
def opcodes_traced_across_switches():
    def trace(frame, event, argument):
        frame.f_trace_opcodes = True
        if event == "opcode":
            count[0] += 1
            if count[0] % 7 == 0 and getcurrent() is not helper:
                helper.switch()
        return trace

    count = [0]
    helper = suspended()
    greenlets = [suspended() for _ in range(3)]
    sys.settrace(trace)
    for _ in range(5):
        for g in greenlets:
            g.switch(1)
        suspended().throw()
    sys.settrace(None)
    for g in greenlets:
        g.switch(1)


@program
def tracing_of_all_threads_changes():
    # Without a GIL it crashes CPython 3.13, without greenlets too.
    if not hasattr(threading, "settrace_all_threads") or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return

    def work():
        greenlets = [suspended() for _ in range(5)]
        while not stop:
            for g in greenlets:
                g.switch(1)

    stop = []
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(60):
        threading.settrace_all_threads((lambda *_: None) if number % 2 else None)
        threading.setprofile_all_threads((lambda *_: None) if number % 3 else None)
        suspended().switch(1)
    threading.settrace_all_threads(None)
    threading.setprofile_all_threads(None)
    stop.append(True)
    for thread in threads:
        thread.join()


@program
def hooks_that_switch():
    def hook(*_):
        g.switch()
        with contextlib.suppress(BaseException):
            getcurrent().parent.switch("left")

    def fails():
        try:
            getcurrent().parent.switch()
        finally:
            raise ValueError

    g = suspended()
    sys.unraisablehook = sys.excepthook = sys.displayhook = threading.excepthook = hook
    for _ in range(5):
        victim = suspended(fails)
        del victim
    exec(compile("1 + 1", "<odd>", "single"))
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    sys.unraisablehook = sys.__unraisablehook__


@program
def audit_hooks_that_switch():
    def hook(event, arguments):
        if is_on and getcurrent() is not g:
            g.switch(event)

    is_on = []
    g = suspended()
    sys.addaudithook(hook)
    is_on.append(True)
    compile("1", "<odd>", "eval")
    sys._getframe(0)
    gc.get_objects()
    suspended().gr_frame.f_code.replace(co_name="other")
    with contextlib.suppress(OSError):
        open("/does/not/exist")
    is_on.clear()


@program
def everything_that_looks_at_frames():
    def work():
        g = suspended(lambda: [getcurrent().parent.switch(i) for i in range(10**9)])
        while not stop:
            g.switch()

    stop = []
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    kept = [suspended() for _ in range(10)]
    tracemalloc.start(25)
    with open(os.devnull, "w") as nowhere:
        for _ in range(50):
            for frame in sys._current_frames().values():
                traceback.extract_stack(frame)
            if hasattr(sys, "_current_exceptions"):
                sys._current_exceptions()
            faulthandler.dump_traceback(nowhere, all_threads=True)
            for g in kept:
                traceback.extract_stack(g.gr_frame)
            tracemalloc.take_snapshot()
    tracemalloc.stop()
    stop.append(True)
    for thread in threads:
        thread.join()


@program
def collector_is_asked_about_everything():
    cells = [[] for _ in range(20)]
    for cell in cells:
        cell.append(suspended(lambda cell: getcurrent().parent.switch(), cell))
    for thing in gc.get_objects():
        if isinstance(thing, greenlet):
            repr(thing), gc.get_referents(thing), thing.gr_frame, thing.gr_context, thing.dead, sys.getsizeof(thing)
    gc.freeze()
    gc.collect()
    gc.unfreeze()
    gc.set_debug(gc.DEBUG_SAVEALL)
    del cells, cell
    gc.collect()
    gc.set_debug(0)
    for thing in gc.garbage:
        repr(thing)
    gc.garbage.clear()
    gc.collect()


@program
def copies():
    for g in (greenlet(), suspended(), main):
        raises(TypeError, copy.deepcopy, g)
        with contextlib.suppress(TypeError):
            copy.copy(g).switch()


@program
def signals_that_kill_what_they_interrupt():
    def handler(*_):
        times.append(1)
        if len(times) > 60:
            signal.setitimer(signal.ITIMER_REAL, 0)
        victim[0].throw()
        victim[0] = suspended()
        g = getcurrent()
        if g is not main and len(times) % 3 == 0:
            g.parent.switch("from a signal")

    times, victim = [], [suspended()]
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    while len(times) <= 60:
        with contextlib.suppress(BaseException):
            greenlet(lambda: [suspended().switch(i) for i in range(1000)]).switch()
    signal.setitimer(signal.ITIMER_REAL, 0)


@program
def keyboard_interrupts_from_another_thread():
    def interrupt():
        begin.wait()
        for _ in range(30):
            time.sleep(0.002)
            _thread.interrupt_main()
        time.sleep(0.1)
        done.append(True)

    def handler(*_):
        # Once a time that it is asked for: what follows the block below is not to be interrupted.
        if expected:
            expected.clear()
            raise KeyboardInterrupt

    # A function of its own: CPython 3.13 does not count a loop's jump back as part of the `try` or `with` around it.
    def switch_until_done():
        begin.set()
        greenlets = [suspended() for _ in range(5)]
        while not done:
            for g in greenlets:
                g.switch(1)

    done, begin, expected = [], threading.Event(), []
    thread = threading.Thread(target=interrupt)
    thread.start()
    signal.signal(signal.SIGINT, handler)
    while not done:
        with contextlib.suppress(KeyboardInterrupt, GreenletExit):
            try:
                expected.append(True)
                switch_until_done()
            finally:
                expected.clear()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    thread.join()


@program
def stacks_of_all_sizes_and_trimming_at_odd_times():
    def deep(depth):
        return deep(depth - 1) if depth else getcurrent().parent.switch()

    def callback(phase, info):
        package.trim_stacks()

    gc.callbacks.append(callback)
    kept = []
    for size in (64 << 10, 1 << 20, 16 << 20, 65 << 10, 1 << 30, 256 << 10) * 5:
        package.stack_size(size)
        kept.append(suspended(deep, 100))
        package.trim_stacks()
        if len(kept) > 7:
            kept.pop(0).switch()
            kept.pop(2)
        gc.collect()
    for size in (0, -1, 1, 1 << 62, "x", None, 2.5):
        with contextlib.suppress(ValueError, TypeError, OverflowError, MemoryError):
            package.stack_size(size)
            suspended()
    gc.callbacks.remove(callback)


@program
def released_while_its_thread_is_in_c_code():
    def work():
        def run():
            try:
                getcurrent().parent.switch()
            finally:
                ended.append(threading.get_ident())

        box.append(suspended(run))
        ready.set()
        greenlet(go_on.wait).switch()
        getcurrent()
        identities.append(threading.get_ident())

    box, ended, identities, ready, go_on = [], [], [], threading.Event(), threading.Event()
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    ready.wait()
    time.sleep(0.2)  # until it waits: before, it would notice at once where threads do not take turns
    box.clear()
    gc.collect()
    assert ended == []
    go_on.set()
    thread.join()
    assert ended == identities and len(ended) == 1


@program
def destructors_use_what_memory_is_being_got_for():
    # Up to 3.11 any allocation may make the collector run. Here it does so after 0, 1, 2, ... of those of an operation.
    from greenlet import generators, stackless

    class Cycle:
        def __init__(self, use):
            self.itself, self.use = self, use

        def __del__(self):
            with contextlib.suppress(BaseException):
                self.use()

    @generators.generator
    def count(*arguments, **named):
        for i in range(3):
            generators.yield_(i)

    def begun():
        g = count(1, 2, a=3)
        next(g)
        return g

    def receive(channel):
        with contextlib.suppress(ValueError):
            channel.receive()

    def channel_with_a_receiver():
        channel = stackless.channel()
        stackless.tasklet(receive)(channel).run()
        return channel

    def pause(*arguments, **named):
        return getcurrent().parent.switch()

    many = range(30)  # of shorter tuples some are kept for the next ones
    operations = {
        lambda: suspended(pause): [lambda g: g.switch(*many), lambda g: g.switch(a=1), lambda g: g.throw(ValueError(1)),
                                   lambda g: g.gr_frame, lambda g: g.throw()],
        lambda: greenlet(pause): [lambda g: g.switch(*many), lambda g: g.switch(1, a=1), lambda g: g.throw(ValueError(1)),
                                  lambda g: g.switch()],
        lambda: count(1, 2, a=3): [next, lambda g: g.send(None), lambda g: g.close(), lambda g: g.throw(ValueError(1))],
        begun: [next, lambda g: g.send(1), lambda g: g.close(), lambda g: g.throw(ValueError(1)), list],
        lambda: stackless.tasklet(stackless.schedule)(): [
            lambda t: t.run(), lambda t: t.kill(), lambda t: t.remove(), lambda t: t.insert(), lambda t: t.switch(),
            lambda t: stackless.schedule(), lambda t: stackless.run()],
        channel_with_a_receiver: [lambda c: c.send(1), lambda c: c.close(), lambda c: c.send_exception(ValueError, 1)],
    }
    threshold = gc.get_threshold()
    for make, functions in operations.items():
        for operate, use in itertools.product(functions, functions):
            for allocations in range(14):
                subject = make()
                gc.collect()
                gc.disable()
                Cycle(functools.partial(use, subject))
                gc.set_threshold(gc.get_count()[0] + allocations)
                gc.enable()
                try:
                    operate(subject)
                except BaseException:
                    pass
                gc.disable()
                gc.set_threshold(*threshold)
                del subject
                with contextlib.suppress(BaseException):
                    stackless.run()
    gc.enable()


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
def fork_in_a_greenlet_of_another_thread():
    def work():
        def run():
            g = suspended()
            pid = os.fork()
            if pid == 0:
                assert g.switch(1) == 1
                raises(package.error, mains.switch)
                assert suspended().switch(2) == 2
                gc.collect()
                return 0
            return pid

        pid = greenlet(run).switch()
        if pid == 0:
            return
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    import warnings

    warnings.simplefilter("ignore")
    mains, statuses = suspended(), []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert statuses == [0] and mains.switch(3) == 3


@program
def daemon_threads_in_the_middle_of_everything():
    def work():
        def run():
            try:
                while True:
                    suspended().switch(1)
            finally:
                suspended()

        greenlet(run).switch()

    for _ in range(4):
        threading.Thread(target=work, daemon=True).start()
    time.sleep(0.05)
    kept.extend(suspended() for _ in range(10))


kept: list = []


@program
def switches_on_a_stack_that_is_no_greenlets():
    # As C code does that goes on to a stack of its own when it recurses deeply, and calls Python there.
    import ctypes

    class Stack(ctypes.Structure):
        _fields_ = [("begin", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]

    class Context(ctypes.Structure):
        _fields_ = [("flags", ctypes.c_ulong), ("next", ctypes.c_void_p), ("stack", Stack), ("more", ctypes.c_char * 8192)]

    @ctypes.CFUNCTYPE(None)
    def callback():
        results.append(getcurrent().parent.switch())

    def run():
        libc.getcontext(ctypes.byref(there))
        there.stack = Stack(stack, 0, 1 << 20)
        there.next = ctypes.addressof(here)
        libc.makecontext(ctypes.byref(there), callback, 0)
        libc.swapcontext(ctypes.byref(here), ctypes.byref(there))
        return "back"

    libc = ctypes.CDLL(None)
    if not hasattr(libc, "makecontext"):
        return
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    results = []
    for _ in range(2):  # the first one mostly lies above the stacks of greenlets, the second one below
        stack = libc.mmap(None, 1 << 20, 3, 0x22, -1, 0)
        ctypes.memset(stack, 1, 1 << 20)  # as if it had been used all the way down
        here, there = Context(), Context()
        others = [suspended() for _ in range(10)]
        g = greenlet(run)
        g.switch()
        assert g._stack_saved == 0
        gc.collect()
        package.trim_stacks()
        assert g.switch("value") == "back" and results.pop() == "value"
        assert [other.switch(1) for other in others] == [1] * 10


@program
def destructors_that_the_end_of_a_thread_calls_last():
    # CPython clears the dictionary of the thread state, in which we are, before its hooks.
    class Hook:
        def __call__(self, *_):
            return None

        def __del__(self):
            with contextlib.suppress(RuntimeError):
                kept.append(suspended())

    def work():
        suspended()
        sys.settrace(Hook())
        sys.setprofile(Hook())
        sys.set_asyncgen_hooks(firstiter=Hook(), finalizer=Hook())

    def use():
        for g in kept:
            with contextlib.suppress(package.error):
                g.switch()
                switched.append(g)

    kept, switched = [], []
    for _ in range(20):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    use()
    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert switched == [] and package._greenlet.get_total_main_greenlets() == 1


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


@program
def finalizers_called_by_hand():
    def run(ends):
        try:
            greenlet(ends).switch(getcurrent())
            getcurrent().parent.switch()
        finally:
            greenlet().parent = getcurrent()
            events.append("ended")

    def ends_its_parent(g):
        assert greenlet().parent is getcurrent()
        g.__del__()
        greenlet().parent = g
        events.append("went on")

    events = []
    g = greenlet(run)
    g.switch(ends_its_parent)
    g.__del__()
    g.__del__()
    main.__del__()
    greenlet().__del__()
    assert events == ["went on", "ended"] and g.dead


def collects_after(allocations, destructor):
    """Has the collector call *destructor* when so many more objects were allocated, if that alone makes it run: up to 3.11."""
    class Cycle:
        def __init__(self):
            self.itself = self

        def __del__(self):
            destructor()

    gc.collect()
    gc.disable()
    Cycle()
    gc.set_threshold(gc.get_count()[0] + allocations)
    gc.enable()


@program
def destructors_use_greenlets_when_a_thread_first_does():
    def work(allocations):
        try:
            collects_after(allocations, lambda: made.append((getcurrent(), suspended())))
            current = getcurrent()
            gc.disable()
            for main_of_it, g in made:
                assert main_of_it is current and g.switch(1) == 1
            made.clear()
            survived.append(True)
        finally:
            done.release()

    made, survived, done = [], [], _thread.allocate_lock()
    for allocations in range(12):
        done.acquire()
        _thread.start_new_thread(work, (allocations,))
    done.acquire()
    while _thread._count() > 0:
        time.sleep(0.001)
    assert len(survived) == 12
    gc.collect()
    main_greenlets = package._greenlet.get_total_main_greenlets()
    assert main_greenlets == 1, main_greenlets


@program
def destructors_set_a_dictionary_that_is_being_made():
    for allocations in range(10):
        g = greenlet()
        collects_after(allocations, lambda: setattr(g, "__dict__", {"a": 1}))
        g.__dict__
        gc.disable()
        gc.collect()
        assert g.__dict__ == {"a": 1}


@program
def the_interpreter_ends_in_a_greenlet():
    # Python's own way out of C code that reports a SystemExit.
    import subprocess

    source = """if True:
        import ctypes, greenlet

        def run():
            suspended = greenlet.greenlet(greenlet.getcurrent().switch)
            suspended.switch()
            ctypes.pythonapi.PyRun_SimpleString(b"import sys; sys.exit(3)")

        greenlet.greenlet(run).switch()
    """
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (3, ""), done


@program
def machine_code_goes_while_greenlets_are_in_the_middle_of_it():
    # Only where CPython compiles to machine code; it forgets what it compiled when a tool wants it to.
    if not hasattr(sys, "_jit") or not sys._jit.is_available():
        return
    if not sys._jit.is_enabled():
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHON_JIT": "1"})

    def hot():
        switch, is_active = getcurrent().parent.switch, sys._jit.is_active
        while True:
            count[is_active()] += 1
            switch()

    def other(number):
        namespace = {}
        exec(f"def f(n):\n total = 0\n for i in range(n):\n  total += i * {number}\n", namespace)
        namespace["f"](5000)

    count = [0, 0]
    greenlets = [suspended(hot) for _ in range(5)]
    for _ in range(3):
        for _ in range(15_000):
            for g in greenlets:
                g.switch()
        sys._clear_internal_caches()
        for number in range(200):
            other(number)
            if number % 50 == 0:
                sys._clear_internal_caches()
                gc.collect()
    for g in greenlets:
        g.switch()
    assert count[True] > 1000, count


@program
def weak_dictionaries_of_greenlets_that_are_killed():
    keys = weakref.WeakKeyDictionary()
    values = weakref.WeakValueDictionary()

    def run(number):
        try:
            getcurrent().parent.switch()
        finally:
            list(keys.items()), list(values.items())
            keys[getcurrent()] = number
            values[number] = getcurrent()

    greenlets = [suspended(run, number) for number in range(50)]
    for number, g in enumerate(greenlets):
        keys[g] = number
        values[number] = g
        weakref.finalize(g, suspended)
    del g
    greenlets.clear()
    gc.collect()
    assert not keys and not values


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
def modules_are_gone():
    import greenlet._greenlet as extension

    g = suspended()
    for name in [name for name in sys.modules if name.startswith("greenlet")]:
        del sys.modules[name]
    extension.__dict__.clear()
    package.__dict__.clear()
    gc.collect()
    assert g.switch(1) == 1
    again = importlib.import_module("greenlet")
    assert again.greenlet(len).switch("ab") == 2 and again.getcurrent() is main
    del g


if __name__ == "__main__":
    faulthandler.enable()
    if len(sys.argv) == 1:
        print(*PROGRAMS, sep="\n")
    else:
        faulthandler.dump_traceback_later(100, exit=True)
        PROGRAMS[sys.argv[1]]()
        print(f"{sys.argv[1]}: survived", flush=True)
