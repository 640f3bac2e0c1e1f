"""gdb's commands for greenlets: info greenlets, greenlet, greenlet apply."""

import functools
import os
import re
import shutil
import subprocess
import sys

import pytest
from support.environment import RUNS_UNDER_VALGRIND
from support.targets import waiting

import greenlet

SCRIPT = os.path.join(os.path.dirname(greenlet.__file__), "_gdb.py")
NESTED = """
    from greenlet import getcurrent, greenlet

    def wait(*_):
        getcurrent().parent.switch()
        return 0

    def worker():
        return sorted([2, 1], key=wait)

    parked = [greenlet(worker) for _ in range(3)]
    for g in parked:
        g.switch()
"""


@functools.cache
def why_not():
    if shutil.which("gdb") is None:
        return "needs gdb"
    if greenlet._greenlet._about()["switch"] == "ucontext":
        return "this switch has no call-frame information"
    if RUNS_UNDER_VALGRIND:
        return "gdb would look at Valgrind"
    with waiting(NESTED) as process:
        done = run_gdb(process, "python print('it', 'works')", "thread")
    if "it works" not in done:
        return "this gdb has no Python"
    return "" if "Current thread" in done else "gdb may not attach to a process here"


@pytest.fixture(autouse=True)
def needs_gdb():
    if reason := why_not():
        pytest.skip(reason)


def run_gdb(process, *commands, core=None):
    """Return what gdb prints, with the commands for greenlets loaded by the section of the extension module."""
    target = [os.path.realpath(sys.executable), str(core)] if core else ["-p", str(process.pid)]
    return subprocess.run(
        [
            *("gdb", "-q", "-batch", "-nx", "-iex", f"set auto-load safe-path {os.path.dirname(SCRIPT)}"),
            *("-iex", "set debuginfod enabled off", *target),
            *(word for command in commands for word in ("-ex", command)),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    ).stdout


HEADING = re.compile(r"^ +(\d+)  (0x[0-9a-f]+)  (\w+) +thread 0x[0-9a-f]+  ([\w.]+)( main)?$", re.MULTILINE)


def test_info_greenlets():
    with waiting(NESTED) as process:
        found = HEADING.findall(run_gdb(process, "info greenlets"))
    assert [(number, state, name, main) for number, _, state, name, main in found] == [
        ("1", "current", "greenlet.greenlet", " main"),
        *((str(number), "suspended", "greenlet.greenlet", "") for number in (2, 3, 4)),
    ]


def test_the_frames_of_a_suspended_one():
    with waiting(NESTED) as process:
        text = run_gdb(process, "greenlet 3", "greenlet apply 1 bt")
    text, of_main = text.split("greenlet.greenlet main")
    assert len(re.findall(r"^#\d+ ", text, re.MULTILINE)) >= 5  # not every interpreter has names for its functions
    assert "#0 " not in text.split("  3  0x")[1]
    assert re.search(r"^#\d+ .*\bstackful_root\b", text, re.MULTILINE)
    assert "corrupt" not in text
    assert [line.split(", in ")[1] for line in text.splitlines() if ", in " in line] == ["wait", "worker"]
    assert "main" in of_main or "ld-musl" in of_main  # musl, in which it waits, has no call-frame information


def test_apply_all():
    with waiting(NESTED) as process:
        text = run_gdb(process, "greenlet apply all bt 2", "info threads")
        assert len(HEADING.findall(text)) == 4
        entries = re.split(HEADING.pattern, text, flags=re.MULTILINE)[6::6]
        assert all("#1 " in entry for entry in entries)
        assert all("#2 " in entry and "#3 " not in entry and "#0 " not in entry for entry in entries[1:])
        assert process.poll() is None  # it goes on
        process.communicate("", timeout=60)
        assert process.returncode == 0


def test_a_core_file(core):
    text = run_gdb(None, "info greenlets", "greenlet 2", core=core)
    assert len(HEADING.findall(text)) == 5
    assert re.search(r"^#\d+ .*\bstackful_root\b", text, re.MULTILINE)


@pytest.mark.parametrize(
    "command, message",
    [
        ("greenlet 9", "no greenlet 9: there are 4, see info greenlets"),
        ("greenlet x", "no greenlet x"),
        ("greenlet", "greenlet NUMBER, or greenlet apply"),
        ("greenlet apply all", "greenlet apply all|NUMBER... COMMAND"),
    ],
)
def test_wrong_use(command, message):
    with waiting(NESTED) as process:
        assert message in run_gdb(process, command)


def test_a_process_without_greenlets():
    with waiting("import sys") as process:
        text = run_gdb(process, f"source {SCRIPT}", "info greenlets")
    assert "there are no greenlets here" in text
