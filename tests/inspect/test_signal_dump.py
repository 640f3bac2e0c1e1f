"""greenlet.inspect.dump_on_signal(): the stacks of all greenlets, written in a signal handler."""

import os
import re
import signal
import sys
import time

import pytest
from support.environment import HAS_ADDRESS_SANITIZER, IS_WINDOWS
from support.processes import output_of, output_of_stress, run_python
from support.targets import BLOCKED, PARKED, PARKED_STACK, blocked, running, waiting

from greenlet import inspect

if IS_WINDOWS:
    pytest.skip("no process can send another one a signal there (test_no_signals.py)", allow_module_level=True)

FRAME = re.compile(r'^    File "([^"]+)", line (\d+) in (\S+)$', re.MULTILINE)


def dump_of(process, path, count=1):
    """Send the signal and return the dump that is written to the file *path*."""
    os.kill(process.pid, signal.SIGUSR1)
    end = time.monotonic() + 30
    text = ""
    while time.monotonic() < end:
        text = path.read_text()
        if text.count("Greenlets of process") >= count and text.endswith("\n"):
            time.sleep(0.1)
            return path.read_text()
        time.sleep(0.01)
    raise AssertionError(f"no dump: {text!r}")


def dumping(source, path):
    begin = f"""
        import sys
        from greenlet import inspect
        file = open({str(path)!r}, "w")
        inspect.dump_on_signal(file=file)
    """
    import textwrap

    return textwrap.dedent(begin) + textwrap.dedent(source)


def test_it_shows_each_greenlet(tmp_path):
    path = tmp_path / "dump"
    with waiting(dumping(PARKED, path)) as process:
        time.sleep(0.2)
        text = dump_of(process, path)
        first, *rest = text.splitlines()
        assert first == f"Greenlets of process {process.pid} on signal 10, most recent call first:"
        assert rest[0] == "" and re.fullmatch(
            rf"Thread 0x[0-9a-f]{{16}} \({process.pid}\), active greenlets: 4, switches: 6, got the signal", rest[1]
        )
        assert re.fullmatch(r"  <greenlet.greenlet 0x[0-9a-f]+> main, current", rest[2])
        found = [(function, int(line) - 6) for _, line, function in FRAME.findall(text)]
        assert [call for call in found if call[0] != "<module>"] == PARKED_STACK
        assert text.count("> worker: the same stack\n") == 2 and text.count("> worker\n") == 1


def test_it_goes_to_standard_error_by_default():
    done = run_python(
        """
        import os, signal
        from greenlet import getcurrent, inspect
        inspect.dump_on_signal()
        getcurrent()
        os.kill(os.getpid(), signal.SIGUSR1)
        """
    )
    assert done.returncode == 0 and '  File "<string>", line 6 in <module>\n' in done.stderr


def test_it_takes_a_descriptor_and_keeps_a_file_open(tmp_path):
    output_of(
        f"""
        import gc, os, signal
        from greenlet import getcurrent, inspect
        getcurrent()
        inspect.dump_on_signal(signal.SIGUSR2, open({str(tmp_path / "kept")!r}, "w"))
        inspect.dump_on_signal(signal.SIGUSR1, os.open({str(tmp_path / "number")!r}, os.O_WRONLY | os.O_CREAT))
        gc.collect()
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR2)
        """,
        options=("-W", "ignore::ResourceWarning"),  # debug builds tell of the file that is still open at the end
    )
    assert "on signal 10," in (tmp_path / "number").read_text()
    assert "on signal 12," in (tmp_path / "kept").read_text()


@pytest.mark.parametrize("name", BLOCKED)
def test_it_works_while_c_code_blocks(name, tmp_path):
    path = tmp_path / "dump"
    with running(dumping(blocked(name), path)) as process:
        time.sleep(0.3)
        found = [(function, int(line)) for _, line, function in FRAME.findall(dump_of(process, path))]
        assert found == [("<module>", 16), ("block", 13), ("park", 10)]


def test_other_threads_while_one_has_the_gil(tmp_path):
    source = """
        import ctypes, threading, time
        from greenlet import getcurrent, greenlet
        def park():
            getcurrent().parent.switch()
        def other():
            global kept
            kept = greenlet(park)
            kept.switch()
            waits.wait()
        waits = threading.Event()
        threading.Thread(target=other, daemon=True).start()
        time.sleep(0.2)
        getcurrent()
        print("ready", flush=True)
        ctypes.PyDLL(None).usleep(100_000_000)
    """
    path = tmp_path / "dump"
    with running(dumping(source, path)) as process:
        time.sleep(0.3)
        text = dump_of(process, path)
        assert text.count("\nThread ") == 2 and text.count("got the signal") == 1
        assert "line 10 in park\n" in text and "line 21 in <module>\n" in text and " in other\n" in text


def test_the_environment_asks_for_it():
    source = "import os, signal, greenlet\ngreenlet.getcurrent()\nos.kill(os.getpid(), {})"
    for name, number in (("USR1", 10), ("SIGUSR2", 12), ("sigusr1", 10), ("12", 12)):
        done = run_python(source.format(number), GREENLET_DUMP_ON_SIGNAL=name)
        assert done.returncode == 0 and "Greenlets of process" in done.stderr
    assert run_python(source.format(10), GREENLET_DUMP_ON_SIGNAL="").returncode == -signal.SIGUSR1


@pytest.mark.parametrize("value", ["SEGV", "11", "0", "9", "65", "1000000000000", "USR3", "12x", "-1", "SIGKILL"])
def test_what_the_environment_says_wrongly_is_ignored_with_a_warning(value):
    done = run_python("import greenlet; print('done')", GREENLET_DUMP_ON_SIGNAL=value)
    assert done.stdout == "done\n"
    assert f"RuntimeWarning: GREENLET_DUMP_ON_SIGNAL='{value}' is ignored" in done.stderr


@pytest.mark.parametrize("signum", [0, -1, 65, signal.SIGSEGV, signal.SIGKILL, signal.SIGSTOP, signal.SIGABRT])
def test_signals_that_are_refused(signum):
    with pytest.raises(ValueError):
        inspect.dump_on_signal(signum)
    with pytest.raises(ValueError):
        inspect.stop_dumping_on_signal(signum)


def test_files_that_are_refused(monkeypatch):
    with pytest.raises(AttributeError):
        inspect.dump_on_signal(file="name")
    monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(RuntimeError, match="sys.stderr is None"):
        inspect.dump_on_signal()


def test_stopping_sets_the_handler_before():
    called = []
    before = signal.signal(signal.SIGUSR2, lambda *_: called.append(1))
    read, write = os.pipe()
    try:
        assert not inspect.stop_dumping_on_signal(signal.SIGUSR2)
        inspect.dump_on_signal(signal.SIGUSR2, write)
        os.kill(os.getpid(), signal.SIGUSR2)
        assert os.read(read, 9) == b"Greenlets" and called == []
        assert inspect.stop_dumping_on_signal(signal.SIGUSR2)
        assert not inspect.stop_dumping_on_signal(signal.SIGUSR2)
        os.kill(os.getpid(), signal.SIGUSR2)
        assert called == [1]
    finally:
        signal.signal(signal.SIGUSR2, before)
        os.close(read), os.close(write)


def test_chaining_calls_the_handler_before():
    called = []
    before = signal.signal(signal.SIGUSR2, lambda *_: called.append(1))
    read, write = os.pipe()
    try:
        inspect.dump_on_signal(signal.SIGUSR2, write, chain=True)
        os.kill(os.getpid(), signal.SIGUSR2)
        assert os.read(read, 9) == b"Greenlets" and called == [1]
    finally:
        inspect.stop_dumping_on_signal(signal.SIGUSR2)
        signal.signal(signal.SIGUSR2, before)
        os.close(read), os.close(write)


def test_chaining_the_default_ends_the_process():
    done = run_python(
        """
        import os, signal
        from greenlet import inspect
        inspect.dump_on_signal(chain=True)
        os.kill(os.getpid(), signal.SIGUSR1)
        """
    )
    assert done.returncode == -signal.SIGUSR1 and "Greenlets of process" in done.stderr


def test_a_forked_process_dumps_its_own(tmp_path):
    done = run_python(
        """
        import os, signal
        from greenlet import getcurrent, inspect
        getcurrent()
        inspect.dump_on_signal()
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGUSR1)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        print(child)
        """,
        options=("-W", "ignore"),
    )
    assert done.stderr.startswith(f"Greenlets of process {done.stdout.strip()} on")


def test_a_signal_keeps_errno_and_restarts_calls():
    output = output_of(
        """
        import ctypes, os, signal, threading, time
        from greenlet import inspect
        inspect.dump_on_signal(file=os.open("/dev/null", os.O_WRONLY))
        libc = ctypes.CDLL(None, use_errno=True)
        read, write = os.pipe()
        def send():
            for _ in range(20):
                time.sleep(0.005)
                signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
            os.write(write, b"x")
        threading.Thread(target=send).start()
        buffer = ctypes.create_string_buffer(1)
        print(libc.read(read, buffer, 1), ctypes.get_errno())
        """
    )
    assert output == "1 0\n"


@pytest.mark.skipif(HAS_ADDRESS_SANITIZER, reason="the program is too slow")
def test_signals_at_random_moments():
    output = output_of_stress("signal_dumps.py", 300)
    assert output.startswith("signal_dumps: 300 signals, ")


def test_on_the_smallest_stack_without_a_signal_stack():
    output_of(
        """
        import os, signal, threading, greenlet
        from greenlet import inspect
        inspect.dump_on_signal(file=os.open("/dev/null", os.O_WRONLY))
        greenlet.stack_size(65536)
        def deep(depth):
            if depth:
                return sorted([1], key=lambda _: deep(depth - 1))
            signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        def work():
            greenlet.greenlet(deep).switch(8)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        """
    )
