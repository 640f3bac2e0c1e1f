"""Native overflow of a greenlet's stack ends the process; greenlet.report_stack_overflow() reports it."""

import inspect
import platform
import re
import signal

import pytest
from support.environment import HAS_ADDRESS_SANITIZER
from support.processes import output_of, run_python
from support.stacks import libc

import greenlet as package

pytestmark = [
    pytest.mark.skipif(
        platform.machine() not in ("x86_64", "aarch64"),
        reason="distinguishing overflows from other faults is not implemented here",
    ),
    pytest.mark.skipif(HAS_ADDRESS_SANITIZER, reason="AddressSanitizer handles the signal itself"),
    pytest.mark.skipif(not hasattr(libc, "tdestroy"), reason="the C library has no tdestroy()"),
]

PROGRAM = """
import ctypes
import faulthandler
import sys
import threading
import greenlet as package
from greenlet import getcurrent, greenlet

class Worker(greenlet):
    pass

libc = ctypes.PyDLL(None)

def overflow():
    print(repr(getcurrent()).split(" (")[0], flush=True)
    # tdestroy() recurses into the children of a node of tsearch(), without the interpreter's stack checks. A node is a
    # key and two pointers; this one is its own child.
    node = (ctypes.c_void_p * 3)()
    node[1] = ctypes.addressof(node)
    libc.tdestroy(node, libc.free)
    print("survived", flush=True)
"""

REPORT = re.compile(
    r"Fatal error: the C stack of (<[\w.]+ object at 0x[0-9a-f]+>) overflowed\. Its size is (\d+) bytes: "
)


def overflowing(source, **options):
    """Run *source*, which overflows a stack. Returns the reported greenlet and stack size, or None without a report."""
    done = run_python(PROGRAM + inspect.cleandoc(source), faulthandler=False, **options)
    assert done.returncode == -signal.SIGSEGV, done
    reports = REPORT.findall(done.stderr)
    assert len(reports) <= 1, done
    if not reports:
        assert "overflowed" not in done.stderr
        return None, done
    name, size = reports[0]
    assert name == done.stdout.strip() + ">"
    return int(size), done


def test_off_by_default_the_process_ends_without_a_report(monkeypatch):
    monkeypatch.delenv("GREENLET_REPORT_STACK_OVERFLOW", raising=False)
    size, done = overflowing("greenlet(overflow).switch()")
    assert size is None and done.stderr == ""


def test_the_greenlet_and_its_stack_size_are_named():
    size, done = overflowing("package.report_stack_overflow()\ngreenlet(overflow).switch()")
    assert size == package.stack_size()
    assert done.stderr.count("\n") == 1


def test_a_subclass_and_another_stack_size_are_named():
    size, done = overflowing(
        """
        package.stack_size(1_500_000)
        package.report_stack_overflow()
        Worker(overflow).switch()
        """
    )
    assert size == 1_503_232  # whole pages
    assert "<Worker object" in done.stderr


@pytest.mark.parametrize("value, reported", [("1", True), ("0", False), ("", False)])
def test_the_environment_turns_it_on(value, reported):
    size, _ = overflowing("greenlet(overflow).switch()", GREENLET_REPORT_STACK_OVERFLOW=value)
    assert (size is not None) == reported


def test_it_can_be_turned_off_again():
    size, _ = overflowing(
        """
        package.report_stack_overflow()
        package.report_stack_overflow(enable=False)
        greenlet(overflow).switch()
        """
    )
    assert size is None


def test_it_can_be_turned_on_in_the_greenlet_itself():
    size, _ = overflowing("greenlet(lambda: (package.report_stack_overflow(), overflow())).switch()")
    assert size == package.stack_size()


@pytest.mark.parametrize("when", ["before the thread", "after its first greenlet"])
def test_in_another_thread(when):
    size, _ = overflowing(
        f"""
        early = {when == "before the thread"}
        def work():
            greenlet(len).switch(())
            main_may_go_on.set()
            is_on.wait()
            greenlet(overflow).switch()
        main_may_go_on, is_on = threading.Event(), threading.Event()
        if early:
            package.report_stack_overflow()
        thread = threading.Thread(target=work)
        thread.start()
        main_may_go_on.wait()
        package.report_stack_overflow()
        is_on.set()
        thread.join()
        """
    )
    assert size == package.stack_size()


def test_after_many_threads_have_come_and_gone():
    size, _ = overflowing(
        """
        package.report_stack_overflow()
        for _ in range(200):
            thread = threading.Thread(target=lambda: greenlet(len).switch(""))
            thread.start()
            thread.join()
        with open("/proc/self/maps") as maps:
            assert len(maps.readlines()) < 400
        greenlet(overflow).switch()
        """
    )
    assert size == package.stack_size()


def test_in_the_child_of_a_fork():
    done = run_python(
        PROGRAM
        + inspect.cleandoc(
            """
            import os
            package.report_stack_overflow()
            greenlet(len).switch("")
            pid = os.fork()
            if pid == 0:
                greenlet(overflow).switch()
            print(-os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            """
        ),
        faulthandler=False,
    )
    assert done.stdout.splitlines()[-1] == str(int(signal.SIGSEGV)), done
    assert len(REPORT.findall(done.stderr)) == 1


@pytest.mark.parametrize("thread", ["main", "other"])
@pytest.mark.parametrize(
    "first", ["faulthandler", "report", "faulthandler, and again after", "report, faulthandler off"]
)
def test_with_faulthandler_both_report(first, thread):
    order = {
        "faulthandler": "faulthandler.enable(); package.report_stack_overflow()",
        "report": "package.report_stack_overflow(); faulthandler.enable()",
        "faulthandler, and again after": "faulthandler.enable(); package.report_stack_overflow(); faulthandler.enable()",
        "report, faulthandler off": "package.report_stack_overflow(); faulthandler.enable(); faulthandler.disable()",
    }[first]
    start = "greenlet(overflow).switch()"
    if thread == "other":
        start = f"t = threading.Thread(target=lambda: {start}); t.start(); t.join()"
    size, done = overflowing(f"{order}\n{start}")
    assert size == package.stack_size()
    assert ("Fatal Python error: Segmentation fault" in done.stderr) == ("off" not in first)
    assert done.stderr.count("Segmentation fault") <= 1


def test_turned_on_again_and_again_below_faulthandler():
    size, done = overflowing(
        """
        for _ in range(3):
            package.report_stack_overflow()
            faulthandler.enable()
            package.report_stack_overflow(False)
            package.report_stack_overflow()
        greenlet(overflow).switch()
        """
    )
    assert size == package.stack_size()
    assert done.stderr.count("Segmentation fault") == 1


@pytest.mark.parametrize("handler", ["", "faulthandler.enable()"])
@pytest.mark.parametrize(
    "fault",
    ["ctypes.string_at(8)", "os.kill(os.getpid(), signal.SIGSEGV)", "signal.raise_signal(signal.SIGSEGV)"],
)
def test_other_segmentation_faults_are_not_reported(fault, handler):
    size, _ = overflowing(
        f"""
        import os, signal
        {handler}
        package.report_stack_overflow()
        {handler}
        greenlet(lambda: {fault}).switch()
        """
    )
    assert size is None


def test_a_thread_whose_own_stack_overflows_is_not_reported():
    size, _ = overflowing(
        """
        package.report_stack_overflow()
        threading.stack_size(1 << 20)
        thread = threading.Thread(target=lambda: (greenlet(len).switch(""), overflow()))
        thread.start()
        thread.join()
        """
    )
    assert size is None


def test_a_handler_in_c_that_was_there_before_is_called():
    assert (
        output_of(
            """
        import ctypes, os, signal
        import greenlet
        libc = ctypes.CDLL(None)
        handler = ctypes.cast(libc._exit, ctypes.c_void_p)  # called with the number of the signal
        libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
        pid = os.fork()
        if pid == 0:
            libc.signal(signal.SIGSEGV, handler)
            greenlet.report_stack_overflow()
            greenlet.greenlet(ctypes.string_at).switch(8)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == signal.SIGSEGV)
        """
        )
        == "True\n"
    )


def test_it_returns_what_was_set_until_now(monkeypatch):
    monkeypatch.delenv("GREENLET_REPORT_STACK_OVERFLOW", raising=False)
    assert (
        output_of(
            """
        import greenlet
        size = greenlet.stack_size(1 << 19)
        print(greenlet.report_stack_overflow(False), greenlet.report_stack_overflow(), end=" ")
        print(greenlet.report_stack_overflow(True), greenlet.report_stack_overflow(enable=0), end=" ")
        print(greenlet.report_stack_overflow(False), greenlet.stack_size())
        """
        )
        == "False False True True False 524288\n"
    )


def test_wrong_arguments_are_a_type_error():
    with pytest.raises(TypeError):
        package.report_stack_overflow(True, True)
    with pytest.raises(TypeError):
        package.report_stack_overflow(on=True)


def test_it_is_public_and_documented():
    assert "report_stack_overflow" in package.__all__
    assert str(inspect.signature(package.report_stack_overflow)) == "(enable=True)"
    assert "GREENLET_REPORT_STACK_OVERFLOW" in package.report_stack_overflow.__doc__
