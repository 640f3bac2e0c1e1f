"""``python -m greenlet dump --core``: the greenlets of a process that has ended, from its core file."""

import contextlib
import os
import re
import shutil
import struct
import sys

import pytest
from support.targets import PARKED_STACK, calls, show

from greenlet import _core_file, _outside


def test_its_stacks(core):
    (thread,) = _outside.threads_of_core(core)
    assert [calls(g) for g in thread.greenlets if not g.is_main] == [PARKED_STACK_AS_WAITING] * 3
    main = next(g for g in thread.greenlets if g.is_main)
    assert main.is_current and main.reading == "right" and calls(main)[-1][0] == "<module>"
    assert not thread.missing


# waiting() puts a line before the program.
PARKED_STACK_AS_WAITING = [(function, line + 1) for function, line in PARKED_STACK]


@pytest.mark.parametrize("command", ["ps", "pstree", "dump"])
def test_the_commands(core, command):
    assert "worker" in show(command, "--core", core).stdout
    assert show(command, "--core", core, "--exe", os.path.realpath(sys.executable)).stdout.count("worker") >= 1


def test_the_program_may_be_elsewhere(core, tmp_path):
    copy = tmp_path / "python"
    shutil.copy(os.path.realpath(sys.executable), copy)
    with contextlib.ExitStack() as opened:
        plain = _core_file.CoreFile(core, None, opened)
        moved = _core_file.CoreFile(core, str(copy), opened)
        own = [os.readlink(f"/proc/self/fd/{segment[2]}") for segment in moved.segments]
        assert str(copy) in own and len(plain.segments) == len(moved.segments)
    assert show("dump", "--core", core, "--exe", tmp_path / "none").returncode in (0, 1)


def test_segments_are_ordered_and_do_not_overlap(core):
    with contextlib.ExitStack() as opened:
        segments = _core_file.CoreFile(core, None, opened).segments
        assert all(before[1] <= after[0] for before, after in zip(segments, segments[1:]))


def test_without():
    segments = [(10, 20, 0, 0), (30, 40, 0, 0)]
    assert list(_core_file.without(0, 50, segments)) == [(0, 10), (20, 30), (40, 50)]
    assert list(_core_file.without(10, 20, segments)) == []
    assert list(_core_file.without(15, 35, segments)) == [(20, 30)]


def error_of(path):
    done = show("dump", "--core", path)
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


def test_files_that_are_no_core_files(tmp_path):
    other = tmp_path / "file"
    other.write_text("text")
    assert re.search(r"file is not a core file that can be read: it is no ELF file$", error_of(other).strip())
    assert error_of(tmp_path / "none").endswith("none: No such file or directory\n")
    other.write_bytes(b"\x7fELF\x01\x01" + bytes(60))
    assert "only those of 64 bits" in error_of(other)
    header = _core_file.HEADER.pack(b"\x7fELF\x02\x01" + bytes(10), 4, 62, 1, 0, 64, 0, 0, 64, 56, 3, 0, 0, 0)
    other.write_bytes(header)
    assert "it is cut off" in error_of(other)
    header = header[:16] + struct.pack("=H", 2) + header[18:]
    other.write_bytes(header)
    assert "it is an ELF file of another kind" in error_of(other)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="a program is no ELF file there")
def test_a_program_is_no_core_file():
    assert "it is an ELF file of another kind" in error_of(os.path.realpath(sys.executable))


def test_a_core_file_without_greenlets(tmp_path):
    path = tmp_path / "core"
    note = struct.pack("=QQ", 0, 4096)
    notes = struct.pack("=III", 5, len(note), _core_file.FILES) + b"CORE\0\0\0\0" + note
    header = _core_file.HEADER.pack(b"\x7fELF\x02\x01" + bytes(10), 4, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = _core_file.SEGMENT.pack(_core_file.NOTES, 4, 120, 0, 0, len(notes), 0, 1)
    path.write_bytes(header + segment + notes)
    assert error_of(path).endswith("the process has not imported greenlet\n")
