"""``python -m greenlet ps``, ``pstree`` and ``dump``: another process's greenlets, as they are."""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from support.environment import HAS_ADDRESS_SANITIZER, IS_WINDOWS, PATIENCE, RUNS_UNDER_VALGRIND
from support.processes import output_of_stress
from support.targets import BLOCKED, PARKED, PARKED_STACK, blocked, calls, greenlets_of, running, show, waiting

from greenlet import _greenlet, _outside
from greenlet.__main__ import main

pytestmark = pytest.mark.skipif(RUNS_UNDER_VALGRIND, reason="Valgrind's memory is not the program's")
reads_other_processes = pytest.mark.skipif(
    not _greenlet.outside.READS_OTHER_PROCESSES, reason="the memory of another process can't be read on this system"
)


def own_greenlets():
    table = _greenlet.outside.table()[0]
    return [greenlet for thread in _outside.read_threads(os.getpid(), table) for greenlet in thread.greenlets]


# What each program prints is the stack of the greenlet `seen` as traceback has it: functions and lines.
AS_TRACEBACK_SAYS = {
    "suspended": """
        def inner():
            getcurrent().parent.switch()
        def outer():
            inner()
        seen = greenlet(outer)
        seen.switch()
        stack = traceback.extract_stack(seen.gr_frame)
    """,
    "long line numbers": """
        namespace = {"getcurrent": getcurrent}
        source = "\\n" * 100000 + "def inner():\\n    (getcurrent()" + "\\n" * 300 + "    .parent.switch())\\n"
        exec(source, namespace)
        seen = greenlet(namespace["inner"])
        seen.switch()
        stack = traceback.extract_stack(seen.gr_frame)
    """,
    "in a with statement": """
        import contextlib
        @contextlib.contextmanager
        def context():
            getcurrent().parent.switch()
            yield
        def outer():
            with context():
                pass
        seen = greenlet(outer)
        seen.switch()
        stack = traceback.extract_stack(seen.gr_frame)
    """,
    "in a native generator": """
        def values():
            yield getcurrent().parent.switch()
        def outer():
            for value in values():
                pass
        seen = greenlet(outer)
        seen.switch()
        stack = traceback.extract_stack(seen.gr_frame)
    """,
    "through C code": """
        def key(value):
            getcurrent().parent.switch()
        def outer():
            sorted([2, 1], key=key)
        seen = greenlet(outer)
        seen.switch()
        stack = traceback.extract_stack(seen.gr_frame)
    """,
    "names that are not ASCII": """
        def schäfchen():
            getcurrent().parent.switch()
        class 日本:
            def 語(self):
                schäfchen()
        seen = greenlet(日本().語)
        seen.switch()
        stack = traceback.extract_stack(seen.gr_frame)
    """,
    "finished a call just before": """
        def leaf(depth):
            return depth and leaf(depth - 1)
        def outer():
            leaf(50)
            getcurrent().parent.switch(leaf(3))
        seen = greenlet(outer)
        seen.switch()
        stack = traceback.extract_stack(seen.gr_frame)
    """,
    "resumed many times": """
        def outer():
            for _ in range(70000):
                getcurrent().parent.switch()
        seen = greenlet(outer)
        for _ in range(65537):
            seen.switch()
        stack = traceback.extract_stack(seen.gr_frame)
    """,
    "main, suspended": """
        import threading
        seen = getcurrent()
        done = []
        def work():
            done.append(traceback.extract_stack(seen.gr_frame))
            print([[f.name, f.lineno] for f in reversed(done[0])], hex(id(seen)), flush=True)
            sys.stdin.read()
        def start():
            greenlet(work).switch()
        start()
    """,
    "a generator's body": """
        from greenlet.generators import generator, yield_
        def inner():
            yield_(1)
        @generator
        def values():
            inner()
        it = values()
        next(it)
        import gc
        seen = next(g for g in gc.get_objects() if type(g) is greenlet and g is not getcurrent() and g)
        stack = traceback.extract_stack(it.gi_frame)
    """,
    "of another thread": """
        import threading
        seen = None
        def inner():
            getcurrent().parent.switch()
        def thread():
            global seen, stack
            seen = greenlet(inner)
            seen.switch()
            stack = traceback.extract_stack(seen.gr_frame)
            ready.set()
            threading.Event().wait()
        ready = threading.Event()
        threading.Thread(target=thread, daemon=True).start()
        ready.wait()
    """,
    "that a thread left": """
        import threading
        def inner():
            getcurrent().parent.switch()
        def thread():
            global seen
            seen = greenlet(inner)
            seen.switch()
        t = threading.Thread(target=thread)
        t.start()
        t.join()
        stack = traceback.extract_stack(seen.gr_frame)
    """,
}
REPORT = """
print([[f.name, f.lineno] for f in reversed(stack)], hex(id(seen)), flush=True)
sys.stdin.read()
"""


@reads_other_processes
@pytest.mark.parametrize("name", AS_TRACEBACK_SAYS)
def test_a_stack_is_as_traceback_says(name):
    import textwrap

    source = "import sys, traceback\nfrom greenlet import getcurrent, greenlet\n"
    source += textwrap.dedent(AS_TRACEBACK_SAYS[name]) + REPORT
    with running(source) as process:
        stack, address = process.line.rsplit(" ", 1)
        (seen,) = (g for g in greenlets_of(process) if g.address == int(address, 16))
        assert [[function.rpartition(".")[2], line] for function, line in calls(seen)] == eval(stack)
        assert (seen.reading, seen.is_current) == ("right", False)


@reads_other_processes
def test_the_running_greenlet_of_a_waiting_thread():
    with waiting(
        "def wait():\n    print('ready', flush=True)\n    sys.stdin.read()\nimport greenlet\ngreenlet.getcurrent()\nwait()"
    ) as process:
        time.sleep(0.2)
        (main,) = greenlets_of(process)
        assert (main.is_main, main.is_current, main.reading, main.state) == (True, True, "right", "current")
        assert calls(main) == [("wait", 4), ("<module>", 7)]


BODY_THAT_RUNS = """
    import greenlet
    from greenlet.generators import generator, yield_

    def deep():
        yield_(1)
        print("ready", flush=True)
        sys.stdin.read()

    @generator
    def values():
        deep()

    def caller():
        list(values())

    caller()
"""


@reads_other_processes
def test_a_body_that_runs_ends_at_its_link():
    with waiting(BODY_THAT_RUNS) as process:
        time.sleep(0.2)
        by_name = {greenlet.name: greenlet for greenlet in greenlets_of(process)}
        assert calls(by_name["values"]) == [("deep", 9), ("values", 13)]
        assert calls(by_name["main"]) == [("caller", 16), ("<module>", 18)]
        assert by_name["values"].is_current and by_name["values"].resumer == by_name["main"].address


@reads_other_processes
def test_labels_and_types():
    source = """
        import functools, types
        from greenlet import getcurrent, greenlet

        class Own(greenlet):
            def run(self):
                getcurrent().parent.switch()

        class Compiled(greenlet):
            run = types.MethodType(functools.partial(Own.run), 0)  # as if Cython had made it

        kept = [Own(), Compiled(), greenlet(getcurrent().switch), greenlet(functools.partial(Own.run, None))]
        kept[0].switch(), kept[1].switch(), kept[3].switch()
    """
    with waiting(source) as process:
        found = {(g.type_name, g.name) for g in greenlets_of(process)}
        assert found == {
            ("greenlet.greenlet", "main"),
            ("Own", "Own.run"),
            ("Compiled", "Compiled"),
            ("greenlet.greenlet", "functools.partial"),
        }


@reads_other_processes
def test_many_frames_are_counted():
    with waiting(PARKED.replace("switch(2)", "switch(500)"), 1) as process:
        (deep,) = (g for g in greenlets_of(process) if not g.is_main)
        assert len(deep.frames) == 200 and len(deep.frames) + deep.more == 502


@reads_other_processes
def test_dump_groups_equal_stacks():
    with waiting(PARKED, 5) as process:
        output = show("dump", process.pid).stdout
        assert re.match(
            rf"Thread {process.pid} \(0x[0-9a-f]+\): 6 greenlets, 10 switches, most recent call first\n", output
        )
        assert "\n  5 greenlets, suspended: worker\n" in output and "  1 greenlet 0x" in output
        assert re.findall(r"line (\d+), in (\w+)", output)[-4:] == [(str(n + 1), f) for f, n in PARKED_STACK]
        limited = show("dump", process.pid, "--limit", 1).stdout
        assert limited.endswith("\n  and 5 greenlets with 1 stack more\n") and ", current: main" in limited


@reads_other_processes
def test_ps_and_pstree():
    source = (
        PARKED
        + """
    def outer():
        inner = greenlet(worker)
        inner.switch(0)
        getcurrent().parent.switch(inner)
    kept = greenlet(outer)
    inner = kept.switch()
    """
    )
    with waiting(source, 2) as process:
        lines = show("ps", process.pid).stdout.splitlines()
        assert len(lines) == 6 and sum(" suspended " in line for line in lines) == 4
        assert any(re.fullmatch(r"  0x[0-9a-f]+  suspended  outer +outer \(<string>:\d+\)", line) for line in lines)
        tree = show("pstree", process.pid).stdout.splitlines()
        assert [len(line) - len(line.lstrip()) for line in tree] == [0, 2, 4, 6, 4, 4]
        assert tree[2].startswith("    outer 0x") and tree[3].startswith("      worker 0x")


@reads_other_processes
@pytest.mark.skipif(HAS_ADDRESS_SANITIZER, reason="10,000 greenlets take too long")
def test_ten_thousand_greenlets_in_time():
    with waiting(PARKED, 10_000, GREENLET_STACK_SIZE="64k") as process:
        resource = pytest.importorskip("resource")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        output = show("dump", process.pid).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert "10,000 greenlets, suspended: worker" in output
        # Processor time, because the machine may be busy. 1.0 s was measured; machines differ by a factor of three.
        assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 6 * PATIENCE


@reads_other_processes
@pytest.mark.skipif(HAS_ADDRESS_SANITIZER, reason="the program is too slow")
def test_no_reading_of_a_switching_process_is_wrong():
    found = re.search(r"(\d+) right \((\d+) checked\)", output_of_stress("outside.py", 4))
    assert int(found[2]) > 100


@reads_other_processes
def test_the_stack_of_one_greenlet():
    with waiting(PARKED) as process:
        wanted = next(g for g in greenlets_of(process) if not g.is_main)
        done = show("dump", process.pid, "--greenlet", f"{wanted.address:#x}")
        assert done.stdout.count("File ") == len(PARKED_STACK)
        assert f"1 greenlet {wanted.address:#x}, suspended" in done.stdout
        missing = show("dump", process.pid, "--greenlet", "0x10")
    assert missing.returncode == 1
    assert "there is no active greenlet at 0x10" in missing.stderr


@reads_other_processes
@pytest.mark.parametrize("name", BLOCKED)
def test_a_process_that_blocks(name):
    with running(blocked(name)) as process:
        time.sleep(0.3)
        found = {g.name: (g.state, calls(g)) for g in greenlets_of(process)}
        assert found["park"] == ("suspended", [("park", 5)])
        assert found["block"] == ("current", [("block", 8)])
        assert found["main"] == ("suspended", [("<module>", 11)])


@reads_other_processes
def test_a_process_that_is_stopped_while_it_runs():
    source = """
        from greenlet import getcurrent, greenlet
        def ping():
            while True:
                main.switch()
        main = getcurrent()
        other = greenlet(ping)
        print("ready", flush=True)
        while True:
            other.switch()
    """
    allowed = {
        "main": {("<module>", line) for line in (8, 9, 10)},
        "ping": {("ping", line) for line in (3, 4, 5)},
    }
    with running(source) as process:
        for _ in range(100):
            os.kill(process.pid, signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
            for greenlet in greenlets_of(process):
                assert greenlet.reading == "right"
                assert all(call in allowed[greenlet.name] for call in calls(greenlet)), greenlet
                assert len(greenlet.frames) == 1 or greenlet.name == "ping"
            assert sum(g.is_current for g in greenlets_of(process)) == 1
            os.kill(process.pid, signal.SIGCONT)
            time.sleep(0.001)


def test_this_process():
    names = {greenlet.name for greenlet in own_greenlets()}
    assert "main" in names


# --- errors ----------------------------------------------------------------------------------------------------------


def error_of(*arguments, **options):
    done = show(*arguments, **options)
    assert (done.returncode, done.stdout) == (1, ""), done
    return done.stderr


@reads_other_processes
def test_no_such_process():
    assert error_of("ps", 2**22 + 1) == "python -m greenlet ps: there is no process 4194305\n"


@reads_other_processes
def test_no_greenlets_there():
    with running("print('ready', flush=True)\nimport sys\nsys.stdin.read()") as process:
        assert error_of("dump", process.pid).endswith("it has not imported greenlet\n")


@reads_other_processes
def test_a_process_without_memory():
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert "it has ended" in error_of("dump", process.pid)


def test_a_system_without_access_to_other_processes_says_what_to_do(monkeypatch, capsys):
    monkeypatch.setattr(_greenlet.outside, "READS_OTHER_PROCESSES", 0)
    assert main(["ps", str(os.getpid())]) == 1
    instead = "dump" if IS_WINDOWS else "dump_on_signal"
    assert re.search(
        rf"the memory of another process can't be read on \w+: call greenlet.inspect.{instead}\(\) in that process\n",
        capsys.readouterr().err,
    )


@pytest.mark.skipif(_greenlet.outside.READS_OTHER_PROCESSES, reason="this system has access to other processes")
def test_so_does_the_function_that_reads():
    instead = "dump" if IS_WINDOWS else "dump_on_signal"
    with pytest.raises(NotImplementedError, match=rf"in that process, use greenlet.inspect.{instead}\(\)$"):
        _greenlet.outside.read(os.getpid() + 1, 8, 8)


@reads_other_processes
@pytest.mark.skipif(
    not IS_WINDOWS and os.geteuid() != 0, reason="only root can start a process that another user may not read"
)
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
def test_not_permitted():
    with waiting(PARKED) as process:
        package = os.path.dirname(os.path.dirname(_outside.__file__))
        done = subprocess.run(
            [
                "setpriv",
                "--reuid=65534",
                "--clear-groups",
                "--bounding-set=-all",
                "--inh-caps=-all",
                sys.executable,
                "-c",
                f"import sys; sys.path.insert(0, {package!r}); from greenlet.__main__ import main; "
                f"sys.exit(main(['ps', '{process.pid}']))",
            ],
            capture_output=True,
            text=True,
            cwd="/",
        )
        is_unreadable = "ermission denied" in done.stderr or "No module named 'encodings'" in done.stderr
        if is_unreadable or done.returncode == 127:
            pytest.skip("another user can't read the interpreter")
        assert done.returncode == 1
        assert f"reading the memory of process {process.pid} is not permitted: run this as the user" in done.stderr


def head(**changes):
    _, size, version, python, build, address = _outside.HEAD.unpack_from(_greenlet.outside.table()[1])
    own = {"size": size, "version": version, "python": python, "build": build, "address": address}
    return _outside.MAGIC, *{**own, **changes}.values()


def test_the_versions_that_can_be_read():
    major, minor, micro = sys.version_info[:3]
    assert _outside.difference(head()) == ""
    assert "table of offsets of version 99" in _outside.difference(head(version=99))
    other = 3 << 24 | 10 << 16 | 4 << 8 | 0xF0
    assert "runs CPython 3.10.4" in _outside.difference(head(python=other))
    assert "use a python3.10" in _outside.difference(head(python=other))
    if sys.version_info.releaselevel == "final":
        assert _outside.difference(head(python=sys.hexversion ^ 1 << 8)) == ""
    assert "debug build" in _outside.difference(head(build=head()[4] ^ _outside.DEBUG_BUILD))
    assert "free-threaded build" in _outside.difference(head(build=head()[4] ^ _outside.FREE_THREADED))


def test_a_table_that_is_none_is_refused():
    memory = ctypes.create_string_buffer(_greenlet.outside.table()[1])  # a copy: it is not at its own address
    with pytest.raises(ValueError, match="no table"):
        _greenlet.outside.walk(os.getpid(), ctypes.addressof(memory))
    with pytest.raises(ValueError, match="no table"):
        _greenlet.outside.walk(os.getpid(), 8)
    with pytest.raises(_outside.Failure, match="another package called greenlet"):
        begin = ctypes.addressof(memory)
        _outside.find_table(os.getpid(), [(begin, begin + len(memory))], "this")


def test_reads_fail_without_a_fault():
    assert _greenlet.outside.read(os.getpid(), 8, 8) is None
    assert _greenlet.outside.read(os.getpid(), 2**64 - 4, 8) is None
    with pytest.raises(ValueError):
        _greenlet.outside.read(-1, 8, 8)
    with pytest.raises(TypeError):
        _greenlet.outside.read("1", 8, 8)


def test_a_command_needs_one_process():
    for arguments in (["ps"], ["ps", "1", "--core", "x"]):
        done = show(*arguments)
        assert done.returncode == 2 and "either the number of a process or --core FILE" in done.stderr
