"""greenlet.inspect.record(): the switches of all threads, as a trace-event file."""

import collections
import gc
import importlib.util
import os
import signal
import sys
import threading
import time
import weakref

import pytest
from support.environment import IS_WINDOWS, PATIENCE
from support.greenlets import suspended
from support.processes import output_of, run_python
from support.threads import in_thread, wait_for
from support.traces import Trace

from greenlet import aio, getcurrent, gettrace, greenlet, settrace, stackless
from greenlet.generators import generator, yield_
from greenlet.inspect import Recording, record, recover

LEAST_SIZE = 256 << 10
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() here")
needs_limits = pytest.mark.skipif(
    importlib.util.find_spec("resource") is None, reason="there is no limit of the size of files to set"
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "trace.json"


def plain(label):
    """Return the last part of a name in a recording, without its number and thread."""
    return label.rpartition(" #")[0].rpartition(".")[2]


def recorded(path, function, **options):
    """Record while *function* runs in a thread of its own. Returns the trace."""
    gc.collect()
    with record(path, **options):
        in_thread(function)
    return Trace(path)


def ping(times):
    partner = suspended(lambda: [getcurrent().parent.switch() for _ in range(times + 1)])
    for _ in range(times):
        partner.switch()
    return partner


def program(make):
    """Switches of all kinds, each greenlet with a function of its own."""
    main = getcurrent()

    def outer():
        inner_one = make(inner)
        inner_one.switch()
        getcurrent().parent.switch()
        inner_one.switch()

    def inner():
        main.switch()
        main.switch()

    def fails():
        raise LookupError

    def killed():
        main.switch()

    def caught():
        try:
            main.switch()
        except KeyError:
            main.switch()

    one = make(outer)
    one.switch()
    one.switch()
    two = make(fails)
    with pytest.raises(LookupError):
        two.switch()
    three = make(killed)
    three.switch()
    del three
    four = make(caught)
    four.switch()
    four.throw(KeyError)
    four.switch()
    five = make(len)
    with pytest.raises(LookupError):
        five.throw(LookupError)
    return one


# --- what is recorded ------------------------------------------------------------------------------------------------


def test_it_tells_the_same_as_settrace(path):
    main = getcurrent()
    names, told = {id(main): "main greenlet"}, []

    class Named(greenlet):
        def __init__(self, run):
            super().__init__(run)
            names[id(self)] = run.__name__  # it can be asked for only before the start

    settrace(lambda event, args: told.append((event, *(names[id(g)] for g in args))))
    try:
        with record(path):
            left = program(Named)
    finally:
        settrace(None)
    told = [each for each in told if each[1] != each[2]]
    trace = Trace(path)
    seen = [(kind, plain(origin), plain(target)) for kind, origin, target in trace.switches()]
    assert len(seen) > 15 and {kind for kind, _, _ in seen} == {"switch", "throw"}
    assert seen == told
    assert trace.facts["switches"] == len(told) and trace.facts["lost"] == 0
    del left


def test_a_switch_to_itself_is_an_instant(path):
    with record(path):
        getcurrent().switch()
    trace = Trace(path)
    (instant,) = trace.of_kind("i")
    assert instant["name"] == "switch to itself"
    assert trace.switches() == [] and len(trace.slices()) == 1


def test_starts_ends_and_throws_are_told(path):
    before = suspended()
    with record(path):
        before.switch()
        g = suspended()
        with pytest.raises(KeyError):
            g.throw(KeyError)
    trace = Trace(path)
    assert len(trace.flags("started")) == 1
    assert sorted(map(plain, trace.flags("finished"))) == ["run", "run"]
    assert sorted(map(plain, trace.flags("thrown_into"))) == ["main greenlet", "run"]


def test_times_are_those_of_the_runs(path):
    begin = time.monotonic()
    with record(path):
        g = greenlet(lambda: time.sleep(0.05))
        g.switch()
        time.sleep(0.02)
    took = (time.monotonic() - begin) * 1e6
    trace = Trace(path)
    (run,) = (each for each in trace.slices() if "lambda" in each[2])
    mains = [each for each in trace.slices() if "main greenlet" in each[2]]
    assert 50e3 <= run[1] < took - 20e3
    assert mains[0][0] < 1e3 and mains[-1][1] >= 20e3
    assert sum(duration for _, duration, _ in trace.slices()) <= took


def test_the_names_are_those_of_the_functions(path):
    class Subclass(greenlet):
        def run(self):
            pass

    def with_a_name():
        pass

    with record(path):
        for _ in range(2):
            greenlet(with_a_name).switch()
        Subclass().switch()
        greenlet(len).throw()
        greenlet("ü".join).switch([])
    assert [*map(plain, Trace(path).rows.values())] == [
        "main greenlet",
        "with_a_name",
        "with_a_name",
        "run",
        "len",
        "join",
    ]


def test_a_name_of_any_characters_is_kept(path):
    def function():
        pass

    names = ["größe\n\"<'", "x" * 1000, "\ud800", ""]
    with record(path):
        for name in names:
            function.__qualname__ = name
            greenlet(function).switch()
    seen = [label.rpartition(" #")[0] for label in Trace(path).rows.values()]
    assert seen[1:] == [names[0], "x" * 240, "unnamed greenlet", "unnamed greenlet"]


def test_greenlets_at_the_same_address_are_told_apart(path):
    with record(path):
        for _ in range(100):
            greenlet(lambda: None).switch()
    trace = Trace(path)
    assert len(trace.rows) == 101
    assert {target for _, _, target in trace.switches()} == set(trace.rows.values())


def test_greenlets_that_ran_before_have_names_too(path):
    g = suspended(lambda: getcurrent().parent.switch())
    with record(path):
        g.switch()
    assert ["lambda" in label for label in Trace(path).rows.values()] == [False, True]


def test_a_recording_in_a_greenlet_that_is_left_for_good(path):
    recordings = []
    greenlet(lambda: recordings.append(record(path))).switch()
    recordings[0].stop()
    ((_, origin, target),) = Trace(path).switches()
    assert "lambda" in origin and plain(target) == "main greenlet"


def test_more_names_than_there_is_room_for(path):
    def function():
        pass

    with record(path, size=LEAST_SIZE):
        for i in range(5000):
            function.__qualname__ = f"function {i}"
            greenlet(function).switch()
        function.__qualname__ = "function 1"
        greenlet(function).switch()
    trace = Trace(path)
    names = [plain(label) for label in trace.rows.values()]
    assert names.count("unnamed greenlet") > 500 and names[-1] == "function 1"


def test_greenlets_of_a_library_have_the_names_of_the_functions_that_they_call(path):
    class Like(greenlet):  # gevent's
        __slots__ = ("_run",)

        def __init__(self, function):
            super().__init__()
            self._run = function

        def run(self):
            self._run()

    class Computed(Like):
        _run = property(lambda self: pytest.fail("a recording must not run code"), lambda self, value: None)

        def run(self):
            pass

    def work():
        pass

    def switches():
        Like(work).switch()
        Computed(work).switch()

    rows = [plain(label) for label in recorded(path, switches).rows.values()]
    assert sorted(set(rows)) == ["main greenlet", "run", "work"]


def test_tasklets_have_the_names_of_their_functions(path):
    def worker():
        stackless.schedule()

    def paused():
        stackless.schedule_remove()

    def before():
        stackless.schedule_remove()

    def run():
        early = stackless.tasklet(before)()
        stackless.run()
        tasklets = [stackless.tasklet(worker)() for _ in range(2)]
        recording = record(path)
        early.insert()
        late = stackless.tasklet(paused)()
        stackless.run()
        late.insert()
        stackless.run()
        recording.stop()
        return tasklets

    in_thread(run)
    assert sorted(map(plain, Trace(path).rows.values())) == sorted(
        ["main greenlet", "before", "paused", "worker", "worker"] + ["main greenlet"] * (len(Trace(path).rows) - 5)
    )


def test_generators_and_coroutines_are_recorded(path):
    def body():
        yield_(1)
        yield_(2)

    class Awaitable:
        def __await__(self):
            yield

    def waits():
        aio.await_(Awaitable())

    with record(path):
        assert list(generator(body)()) == [1, 2]
        coroutine = aio.run(waits)
        coroutine.send(None)
        with pytest.raises(StopIteration):
            coroutine.send(None)
    switches = [(plain(origin), plain(target)) for _, origin, target in Trace(path).switches()]
    main = "main greenlet"
    assert switches == [(main, "body"), ("body", main)] * 3 + [(main, "waits"), ("waits", main)] * 2


# --- threads and interpreters ----------------------------------------------------------------------------------------


def test_all_threads_are_recorded(path):
    def early():
        with_greenlets.set()
        ping(1)
        begin.wait()
        ping(3)

    begin, with_greenlets = threading.Event(), threading.Event()
    first = threading.Thread(target=early, name="Early")
    first.start()
    with_greenlets.wait()
    with record(path):
        begin.set()
        first.join()
        later = threading.Thread(target=lambda: ping(5), name="Later")
        later.start()
        later.join()
        ping(1)
    labels = Trace(path).rows.values()
    assert sum("(Early)" in label for label in labels) == 2
    assert sum("(Later)" in label for label in labels) == 2
    assert sum("(MainThread)" in label for label in labels) == 2


def test_a_thread_that_ends_runs_nothing_any_more(path):
    with record(path):
        in_thread(lambda: ping(2))
        time.sleep(0.05)
    trace = Trace(path)
    end = max(begin + duration for begin, duration, label in trace.slices() if "(MainThread)" not in label)
    assert end < max(begin + duration for begin, duration, _ in trace.slices()) - 40e3


def test_threads_at_once(path):
    def run():
        together.wait()
        ping(1000)

    together = threading.Barrier(4)
    threads = [threading.Thread(target=run, name=f"T{i}") for i in range(4)]
    with record(path):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    trace = Trace(path)
    assert trace.facts["lost"] == 0
    per_thread = [sum(f"(T{i})" in target for _, _, target in trace.switches()) for i in range(4)]
    assert per_thread == [per_thread[0]] * 4 and per_thread[0] > 2000
    for _, origin, target in trace.switches():
        assert origin.rpartition("(")[2] == target.rpartition("(")[2]


def test_recordings_begin_and_end_while_threads_switch(tmp_path):
    def work():
        kept = collections.deque(maxlen=100)
        while not ends:
            kept.append(ping(50))

    ends = []
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(3):
        with record(tmp_path / str(i), size=LEAST_SIZE):
            time.sleep(0.01)
        Trace(tmp_path / str(i))
    ends.append(True)
    for thread in threads:
        thread.join()


def test_another_interpreter_is_not_recorded(path):
    names = [name for name in ("_interpreters", "_xxsubinterpreters") if name in stdlib_modules()]
    if not names or sys.version_info < (3, 12):
        pytest.skip("this CPython can't run other interpreters from Python")
    printed = output_of(f"""
        import sys, {names[0]} as interpreters
        from greenlet import greenlet
        from greenlet.inspect import record
        code = r'''
        from greenlet import greenlet
        from greenlet.inspect import record
        recording = record({str(path) + ".inner"!r})
        greenlet(lambda: None).switch()
        '''.replace("\\n        ", "\\n")
        with record({str(path)!r}) as recording:
            greenlet(lambda: None).switch()
            identity = interpreters.create()
            assert interpreters.run_string(identity, code) is None
            interpreters.destroy(identity)
        print(recording.switches)
    """)
    assert printed == "2\n"
    assert len(Trace(path).switches()) == 2
    assert len(Trace(path.with_name(path.name + ".inner")).switches()) == 2  # written when that interpreter ended


def stdlib_modules():
    return set(sys.builtin_module_names) | sys.stdlib_module_names


# --- the ring --------------------------------------------------------------------------------------------------------


def test_the_oldest_are_lost_when_the_ring_is_full(path):
    with record(path, size=LEAST_SIZE) as recording:
        ping(5000)
    trace = Trace(path)
    assert (recording.switches, recording.lost) == (trace.facts["switches"], trace.facts["lost"])
    assert trace.facts["switches"] > 10000
    kept = trace.facts["switches"] - trace.facts["lost"]
    assert kept == (LEAST_SIZE - 4096 - (128 << 10)) // 32
    assert len(trace.switches()) in (kept, kept - 1)  # nothing may be known of what ran before the first one
    (labels,) = (e["args"]["labels"] for e in trace.events if e["name"] == "process_labels")
    assert f"{trace.facts['lost']:,} oldest lost" in labels


def test_nothing_is_lost_otherwise(path):
    with record(path) as recording:
        ping(5000)
    assert recording.lost == 0 and len(Trace(path).switches()) == recording.switches


def test_only_the_last_seconds(path):
    def early():
        time.sleep(0.01)

    def late():
        pass

    with record(path, seconds=0.2) as recording:
        greenlet(early).switch()
        time.sleep(0.3)
        greenlet(late).switch()
    trace = Trace(path)
    assert recording.switches == 4 and trace.facts["seconds"] == pytest.approx(0.2, abs=1e-6)
    assert [plain(target) for _, _, target in trace.switches()] == ["late", "main greenlet"]
    begin = min(begin for begin, _, _ in trace.slices())
    assert sum(duration for _, duration, _ in trace.slices()) == pytest.approx(200e3, abs=1)
    assert begin >= 100e3


def test_the_ring_lies_beside_the_file_until_the_end(path):
    with record(path, size=1 << 20) as recording:
        assert os.path.dirname(recording.ring) == str(path.parent)
        assert os.stat(recording.ring).st_size == 1 << 20
    assert os.listdir(path.parent) == [path.name]


# --- begin and end ---------------------------------------------------------------------------------------------------


def test_the_path_may_be_relative_and_the_folder_change(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    recording = record("trace.json")
    monkeypatch.chdir("/")
    recording.stop()
    assert recording.path == str(path) and Trace(path).facts["switches"] == 0


def test_an_existing_file_is_replaced_at_the_end(path):
    path.write_text("x" * 100_000)
    with record(path):
        assert path.read_text() == "x" * 100_000
    Trace(path)


def test_it_can_be_stopped_twice(path):
    with record(path) as recording:
        greenlet(len).throw()
        recording.stop()
        assert "ended" in repr(recording)
        greenlet(len).throw()
    assert recording.switches == 2


def test_it_can_be_stopped_by_another_greenlet(path):
    recording = record(path)
    greenlet(recording.stop).switch()
    assert len(Trace(path).switches()) == 1


def test_it_can_be_stopped_by_another_thread(path):
    recording = record(path)
    assert isinstance(recording, Recording) and "running" in repr(recording)
    ping(1)
    in_thread(recording.stop)
    assert len(Trace(path).switches()) == recording.switches


def test_only_one_of_several_threads_stops_it(path):
    recording = record(path)
    threads = [threading.Thread(target=recording.stop) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(lambda: recording.switches is not None)
    Trace(path)


def test_one_recording_at_a_time(path, tmp_path):
    other = tmp_path / "other.json"
    with record(path) as recording:
        with pytest.raises(RuntimeError, match="recorded already"):
            record(other)
        greenlet(len).throw()
    assert recording.switches == 2 and not other.exists()
    with record(other):
        pass
    assert sorted(os.listdir(tmp_path)) == ["other.json", "trace.json"]


def test_a_stopped_recording_does_not_stop_the_next(path, tmp_path):
    first = record(path)
    first.stop()
    with record(tmp_path / "second.json") as second:
        first.stop()
        greenlet(len).throw()
    assert second.switches == 2


def test_the_greenlets_of_an_earlier_recording_are_named_anew(path, tmp_path):
    g = suspended()
    for name in ("first", "second"):
        with record(tmp_path / name):
            g.switch() if name == "second" else greenlet(len).throw()
    assert [plain(label) for label in Trace(tmp_path / "second").rows.values()] == ["main greenlet", "run"]


def test_the_slot_of_settrace_is_left_alone(path):
    events = []

    def tracer(event, args):
        events.append(event)

    with record(path) as recording:
        assert gettrace() is None
        assert settrace(tracer) is None
        greenlet(len).throw()
        assert settrace(None) is tracer
        greenlet(len).throw()
    assert events == ["throw", "switch"] and recording.switches == 4
    settrace(tracer)
    greenlet(len).throw()
    settrace(None)
    assert len(events) == 4


def test_a_tracer_that_fails_does_not_end_the_recording(path):
    def tracer(event, args):
        raise LookupError

    settrace(tracer)
    with record(path) as recording:
        with pytest.raises(LookupError):
            greenlet(lambda: None).switch()
        greenlet(len).throw()
    assert gettrace() is None and recording.switches == 4


def test_recorded_greenlets_are_not_kept_alive(path):
    with record(path):
        g = suspended()
        seen = weakref.ref(g)
        g.switch()
        del g
        assert seen() is None


def test_exceptions_pass_while_names_are_found(path):
    def fails():
        raise LookupError("in flight")

    with record(path):
        with pytest.raises(LookupError, match="in flight"):
            in_thread(lambda: greenlet(fails).switch())


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_the_seconds_must_be_positive(path, seconds):
    with pytest.raises(ValueError, match="seconds"):
        record(path, seconds=seconds)
    with pytest.raises(ValueError, match="seconds"):
        recover(path, path, seconds=seconds)
    assert not path.exists()


@pytest.mark.parametrize("size", [0, -1, LEAST_SIZE - 1])
def test_the_size_must_be_large_enough(path, size):
    with pytest.raises(ValueError, match="size must be at least 262144 bytes"):
        record(path, size=size)
    assert os.listdir(path.parent) == []


def test_a_path_that_can_not_be_written(path):
    with pytest.raises(FileNotFoundError):
        record(path / "missing" / "trace.json")
    with pytest.raises(PermissionError if IS_WINDOWS else IsADirectoryError):
        record(path.parent)
    assert os.listdir(path.parent) == []


@needs_limits
def test_no_room_for_the_ring(path):
    assert (
        output_of(f"""
        import os, resource
        from greenlet.inspect import record
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
        try:
            record({str(path)!r}, size=2 << 20)
        except OSError as error:
            print("refused")
        record({str(path)!r}, size=1 << 20).stop()
    """)
        == "refused\n"
    )
    Trace(path)
    assert os.listdir(path.parent) == [path.name]


@needs_limits
def test_no_room_for_the_file(path):
    assert (
        output_of(f"""
        import os, resource
        from greenlet import greenlet
        from greenlet.inspect import record, recover
        recording = record({str(path)!r}, size=1 << 20)
        for _ in range(1000):
            greenlet(len).throw()
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
        try:
            recording.stop()
        except OSError as error:
            print(error.__notes__[0].replace(recording.ring, "RING"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        recover(recording.ring, {str(path)!r})
    """)
        == "The recording is still in RING; greenlet.inspect.recover() reads it.\n"
    )
    assert len(Trace(path).switches()) == 2000


@pytest.mark.parametrize("content", [b"", b"text", b"greenlet switch\0" + bytes(200)])
def test_what_is_no_ring_is_not_recovered(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match="trace.json"):
        recover(path, path.with_suffix(".new"))
    assert not path.with_suffix(".new").exists()


# --- processes -------------------------------------------------------------------------------------------------------


def test_it_is_written_when_the_interpreter_ends(path):
    output_of(f"""
        from greenlet import getcurrent, greenlet
        from greenlet.inspect import record
        record({str(path)!r})
        g = greenlet(lambda: getcurrent().parent.switch())
        g.switch()
        g.switch()
    """)
    assert len(Trace(path).switches()) == 4 and os.listdir(path.parent) == [path.name]


CRASHES = """
import os, signal
from greenlet import getcurrent, greenlet
from greenlet.inspect import record
record({path!r}, size=300_000)
def partner():
    while True:
        getcurrent().parent.switch()
g = greenlet(partner)
for _ in range(5000):
    g.switch()
os.kill(os.getpid(), {signal})
"""


def test_a_process_that_crashes_leaves_the_ring(path):
    # On Windows os.kill() ends a process at once, with the signal as its status.
    number = signal.SIGTERM if IS_WINDOWS else signal.SIGKILL
    done = run_python(CRASHES.format(path=str(path), signal=int(number)))
    assert done.returncode == (number if IS_WINDOWS else -number)
    (ring,) = path.parent.glob("*.ring")
    recover(ring, path)
    trace = Trace(path)
    assert trace.facts["switches"] == 10_000 and trace.facts["lost"] > 0 and not trace.facts["complete"]
    assert sorted(map(plain, trace.rows.values())) == ["main greenlet", "partner"]
    recover(ring, path, seconds=1e-4)
    assert 0 < len(Trace(path).switches()) < len(trace.switches())


@needs_fork
def test_the_child_of_a_fork_does_not_record(path, tmp_path):
    other = tmp_path / "child.json"
    printed = output_of(f"""
        import os
        from greenlet import greenlet
        from greenlet.inspect import record
        recording = record({str(path)!r})
        greenlet(len).throw()
        pid = os.fork()
        if pid == 0:
            greenlet(len).throw()
            recording.stop()
            with record({str(other)!r}):
                greenlet(len).throw()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert os.path.exists(recording.ring)
        greenlet(len).throw()
        recording.stop()
        print(pid)
    """)
    assert len(Trace(path).switches()) == 4
    child = Trace(other)
    assert len(child.switches()) == 2 and child.events[0]["pid"] == int(printed)


@needs_fork
def test_the_end_of_a_child_does_not_end_the_recording(path):
    output_of(f"""
        import os, sys
        from greenlet import greenlet
        from greenlet.inspect import record
        recording = record({str(path)!r})
        pid = os.fork()
        if pid == 0:
            greenlet(len).throw()
            sys.exit()
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        greenlet(len).throw()
    """)
    assert len(Trace(path).switches()) == 2


# --- costs -----------------------------------------------------------------------------------------------------------


def test_a_switch_costs_little_more(path):
    def nanoseconds_per_switch(times=20_000):
        begin = time.perf_counter()
        ping(times)
        return (time.perf_counter() - begin) / times / 2 * 1e9

    plainly = min(nanoseconds_per_switch() for _ in range(3))
    with record(path):
        while_recording = min(nanoseconds_per_switch() for _ in range(3))
    # Some 40 ns were measured (docs/how-to/recording.md); the limit is for a busy machine.
    assert while_recording - plainly < 600 * PATIENCE


def test_a_recording_that_has_ended_is_released(path):
    recording = record(path)
    recording.stop()
    seen = weakref.ref(recording)
    del recording
    gc.collect()
    assert seen() is None
