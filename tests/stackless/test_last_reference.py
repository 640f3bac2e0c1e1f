"""greenlet.stackless: a paused tasklet ends when its last reference is dropped."""

import contextlib
import gc
import time
import weakref

import pytest
from support.greenlets import collect
from support.scheduler import WITH_A_SCHEDULER, let_begin
from support.threads import in_thread

import greenlet.stackless as stackless
from greenlet.stackless import TaskletExit, getcurrent, getmain, run, schedule, schedule_remove, tasklet

pytestmark = WITH_A_SCHEDULER


def busy():
    schedule_remove(None)
    while True:
        pass


def gives_up_its_turn():
    schedule_remove(None)
    while True:
        schedule(None)  # None, because the default value puts a reference to the tasklet on its stack


# The function of the tasklet, and the function that makes it pause.
WAYS_TO_PAUSE = {
    "schedule_remove": (schedule_remove, lambda t: run()),
    "schedule_remove, without a value": (lambda: schedule_remove(None), lambda t: run()),
    "schedule_remove, for tasklet.run()": (schedule_remove, lambda t: t.run()),
    "switch": (lambda: getmain().switch(), lambda t: t.switch()),
    "remove": (stackless.schedule, lambda t: (t.run(), t.remove(), None)[-1]),
    "timeout": (busy, lambda t: (let_begin(t), run(100_000), None)[-1]),
    "soft timeout": (
        gives_up_its_turn,
        lambda t: (let_begin(t), run(100_000, soft=True, totaltimeout=True), t.remove(), None)[-1],
    ),
    "timeout for all": (gives_up_its_turn, lambda t: (let_begin(t), run(100_000, totaltimeout=True), None)[-1]),
    "after a resumption": (
        lambda: catches(schedule_remove, schedule_remove),
        lambda t: (t.run(), t.insert(), run(), None)[-1],
    ),
    "after an exception": (
        lambda: catches(schedule_remove, schedule_remove),
        lambda t: (t.run(), t.throw(KeyError), None)[-1],
    ),
    "with a value": (schedule_remove, lambda t: (run(), setattr(t, "tempval", [1]), None)[-1]),
    "with itself for a value": (
        schedule_remove,
        lambda t: (run(), setattr(t, "tempval", t), setattr(t, "tempval", None), None)[-1],
    ),
}


def catches(first, second):
    with contextlib.suppress(KeyError):
        first()
    second()


@pytest.fixture
def without_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def body_of(log, function):
    def body():
        try:
            function()
        except TaskletExit:
            log.append("killed")
            raise
        finally:
            log.append(getcurrent().is_main)

    return body


@pytest.mark.parametrize("way", WAYS_TO_PAUSE)
def test_the_last_reference_to_a_paused_tasklet_ends_it_at_once(way, without_collector):
    log = []
    function, pause = WAYS_TO_PAUSE[way]
    t = tasklet(body_of(log, function))()
    pause(t)
    assert t.paused and log == []
    reference = weakref.ref(t)
    del t
    assert log == ["killed", False] and reference() is None


def test_one_that_pauses_and_that_nobody_knows_ends_when_the_next_one_goes_on(without_collector):
    log = []
    tasklet(body_of(log, schedule_remove))()
    run()
    assert log == ["killed", False]
    tasklet(body_of(log, schedule_remove))()
    tasklet(log.append)("next")
    run()
    assert log == ["killed", False, "killed", False, "next"]


def test_a_paused_tasklet_that_goes_on_again_is_kept(without_collector):
    log = []
    for go_on in (lambda t: t.insert(), lambda t: t.throw(KeyError, pending=True)):
        t = tasklet(catches)(schedule_remove, lambda: log.append("went on"))
        run()
        go_on(t)
        del t
        run()
        log.append(stackless.runcount)
    assert log == ["went on", 1, "went on", 1]


def test_its_value_is_what_it_was(without_collector):
    t = tasklet(lambda: values.append(schedule_remove()))()
    values = []
    run()
    assert t.tempval is t
    t.insert()
    assert t.tempval is t
    run()
    assert values == [t]
    values.clear()
    t.bind(lambda: values.append(schedule_remove()), ()).insert()
    run()
    t.remove()
    del t.tempval
    assert t.tempval is None
    t.insert()
    run()
    assert values == [None]


def test_one_that_does_not_let_itself_be_killed_lives_on(without_collector):
    tries = []

    def refuses():
        while len(tries) < 25:
            with contextlib.suppress(TaskletExit):
                schedule_remove()
            tries.append(1)

    t = tasklet(refuses)()
    run()
    del t
    assert len(tries) == 10
    gc.collect()
    assert len(tries) >= 20
    for t in [t for t in gc.get_objects() if isinstance(t, tasklet) and t.paused]:
        while t.alive:
            t.kill()
    assert len(tries) == 25


class WithDestructor(tasklet):
    ended = 0

    def __del__(self):
        WithDestructor.ended += 1
        super().__del__()


class Plain(tasklet):
    pass


def test_a_subclass_may_have_a_destructor(without_collector):
    for cls, at_once in ((Plain, True), (WithDestructor, False)):
        log = []
        t = cls(body_of(log, schedule_remove))()
        run()
        del t
        assert bool(log) is at_once
        gc.collect()
        assert log == ["killed", False]
    assert WithDestructor.ended > 0


def test_a_long_chain_of_paused_tasklets_ends_at_once(without_collector):
    log = []

    def holds(inner):
        try:
            schedule_remove()
        finally:
            log.append(1)

    t = None
    for _ in range(3000):
        t = tasklet(holds)(t)
        run()
    del t
    assert len(log) == 3000


def test_the_last_reference_may_go_in_another_thread_or_after_its_own(without_collector):
    log = []
    t = [tasklet(body_of(log, schedule_remove))()]
    run()
    in_thread(t.clear)
    run()
    stackless.schedule()
    assert log == ["killed", False]
    log.clear()

    def in_the_thread():
        t = tasklet(lambda: refuses(log))()
        run()
        return t

    def refuses(log):
        try:
            while True:
                with contextlib.suppress(TaskletExit):
                    schedule_remove()
        finally:
            log.append("unwound")

    t = in_thread(in_the_thread)
    deadline = time.monotonic() + 10
    while t.thread_id != -1 and time.monotonic() < deadline:
        time.sleep(0.001)
    reference = weakref.ref(t)
    del t
    assert reference() is None and log == []


def test_the_last_reference_may_go_when_no_switch_is_possible(without_collector):
    log = []
    kept = [tasklet(body_of(log, schedule_remove))()]
    run()
    stackless.set_schedule_callback(lambda before, after: kept.clear())
    tasklet(int)()
    run()
    stackless.set_schedule_callback(None)
    stackless.schedule()
    run()
    assert log == ["killed", False]
    log.clear()
    t = tasklet(body_of(log, schedule_remove))()
    run()
    stackless.switch_trap(1)
    del t
    stackless.switch_trap(-1)
    assert log == ["killed", False]


def test_the_last_reference_may_go_with_an_exception_in_flight(without_collector):
    log = []

    def raises():
        t = tasklet(body_of(log, schedule_remove))()
        run()
        raise LookupError(len([t]))

    with pytest.raises(LookupError):
        try:
            raises()
        except LookupError as error:
            error.__traceback__ = None
            assert log == ["killed", False]
            raise


def test_one_that_switches_while_it_is_killed_is_killed_again():
    log = []

    def function():
        try:
            schedule_remove()
        finally:
            try:
                schedule()
            finally:
                log.append("finally")

    tasklet(function)()
    run()
    collect()
    assert log == ["finally"]


def test_one_that_refuses_to_end_is_asked_ten_times_at_least():
    tries = []

    def function():
        while True:
            try:
                schedule_remove()
            except TaskletExit:
                tries.append(1)
                if len(tries) > 30:
                    raise

    tasklet(function)()
    run()
    gc.collect()
    assert len(tries) >= 10
    collect()
    while len(tries) <= 30:
        for t in gc.get_objects():
            if isinstance(t, tasklet) and t.paused and not t.is_main:
                t.kill()
