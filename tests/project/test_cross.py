"""What compiles for other systems notices what is wrong with a module, and reads object files."""

import re
import struct
import sys
from pathlib import Path

import pytest
from support.environment import ROOT

from greenlet import _greenlet

if not (ROOT / "tools").is_dir():
    pytest.skip("needs the source tree", allow_module_level=True)
sys.path.insert(0, str(ROOT))
from tools import cross, object_files
from tools.object_files import ObjectFile

sys.path.remove(str(ROOT))

LIBRARY = "/usr/lib/libSystem.B.dylib"
CODE = bytes(range(16))
NAMES = b"\0_PyInit__greenlet\0_malloc\0_PyList_New\0"


def mach_o():
    """Return a library for AArch64 with some code, the relocation of four bytes of it, and three symbols."""
    sizes = segment, symtab, dylib = 72 + 80, 24, 24 + 32
    code = 32 + sum(sizes)
    relocation = code + len(CODE)
    symbols = relocation + 8
    names = symbols + 3 * 16
    section = (b"__text", b"__TEXT", 0, len(CODE), code, 4, relocation, 1, 0, 0, 0, 0)
    entries = [(b"_PyInit", 0x0F, 0), (b"_malloc", 0x01, 1), (b"_PyList", 0x01, object_files.DYNAMIC_LOOKUP)]
    return b"".join(
        [
            struct.pack("<8I", 0xFEEDFACF, 0x0100000C, 0, 6, 3, sum(sizes), 0, 0),
            struct.pack("<2I16s4Q4I", 0x19, segment, b"__TEXT", 0, 0, 0, 0, 0, 0, 1, 0),
            struct.pack("<16s16sQQ8I", *section),
            struct.pack("<6I", 0x2, symtab, symbols, 3, names, len(NAMES)),
            struct.pack("<6I32s", 0xC, dylib, 24, 0, 0, 0, LIBRARY.encode()),
            CODE,
            struct.pack("<iI", 4, 2 << 25),
            *(struct.pack("<IBBHQ", NAMES.index(name), kind, 1, library << 8, 0) for name, kind, library in entries),
            NAMES,
        ]
    )


def test_mach_o_is_read(tmp_path):
    path = tmp_path / "library"
    path.write_bytes(mach_o())
    found = object_files.read(path)
    assert (found.format, found.kind, found.processor, found.text) == ("Mach-O", "library", "aarch64", CODE)
    assert found.relocated == {4, 5, 6, 7}
    assert found.libraries == [LIBRARY]
    assert found.undefined == {"_malloc": LIBRARY, "_PyList_New": None}
    assert found.defined == {"_PyInit__greenlet"}
    assert list(cross.complaints_of_module(found, "aarch64-macos")) == []


@pytest.mark.skipif(
    Path(_greenlet.__file__).read_bytes()[:6] != b"\x7fELF\2\1", reason="this system's modules are not ELF of 64 bits"
)
def test_elf_is_read():
    found = object_files.read(Path(_greenlet.__file__))
    assert (found.format, found.kind) == ("ELF", "library")
    assert "PyInit__greenlet" in found.defined
    assert found.undefined["PyList_New"] is None
    # A symbol names its library by its version. Those of glibc have versions, those of musl have none.
    has_versions = "libc.so.6" in found.libraries
    assert any(library in found.libraries for library in found.undefined.values() if library) == has_versions
    assert (found.undefined["pthread_create"] or "").startswith("lib") == has_versions


def test_other_files_are_refused(tmp_path):
    (tmp_path / "text").write_text("text")
    with pytest.raises(ValueError, match="neither Mach-O nor ELF"):
        object_files.read(tmp_path / "text")


GOOD = {"defined": {"PyInit__greenlet"}, "libraries": ["libc.so.7"], "undefined": {"malloc": "libc.so.7"}}


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({}, None),
        ({"undefined": {"PyList_New": None, "_Unwind_Backtrace": None, "__aarch64_cas8_relax": None}}, None),
        ({"undefined": {"_ZSt9terminatev": None}}, "needs _ZSt9terminatev, which neither"),
        ({"libraries": ["libc++.so.1"]}, r"needs libc\+\+.so.1"),
        ({"defined": set()}, "does not define PyInit__greenlet"),
        ({"processor": "x86_64"}, "is ELF, library, x86_64 instead of ELF, library, aarch64"),
    ],
)
def test_a_module_is_checked(change, complaint):
    found = ObjectFile(**{"format": "ELF", "kind": "library", "processor": "aarch64", **GOOD, **change})
    found_complaints = list(cross.complaints_of_module(found, "aarch64-freebsd"))
    assert len(found_complaints) == (complaint is not None)
    assert complaint is None or re.match(complaint, found_complaints[0])


DWARF, FRAMELESS, BY_FRAME_POINTER = 0x04000000, 0x02000000, 0x01000000


@pytest.mark.parametrize(
    "text, relocated, unwinding, complaint",
    [
        (CODE, set(), [DWARF, DWARF, FRAMELESS], None),
        (CODE[:-1] + b"x", {15}, [DWARF], None),
        (CODE[:-1] + b"x", set(), [DWARF], "machine code differs from that in ELF at 0xf"),
        (CODE + b"x", set(), [DWARF], "machine code differs from that in ELF in length"),
        (CODE, set(), [DWARF, BY_FRAME_POINTER, FRAMELESS], "call-frame information was turned into"),
        (CODE, set(), [], "call-frame information was turned into"),
    ],
)
def test_the_switch_is_compared(text, relocated, unwinding, complaint):
    found = ObjectFile("Mach-O", "object", "x86_64", text, relocated, unwinding=unwinding)
    complaints = list(cross.complaints_of_switch(found, ObjectFile("ELF", "object", "x86_64", CODE)))
    assert len(complaints) == (complaint is not None)
    assert complaint is None or complaint in complaints[0]


def test_the_configuration_is_that_of_the_system():
    linux = (
        "#define SIZEOF_LONG_DOUBLE 16\n#define HAVE_SEM_TIMEDWAIT 1\n/* #undef HAVE_KQUEUE */\n#define HAVE_FORK 1\n"
    )
    found = cross.configure_header(linux, "aarch64-macos").splitlines()
    assert {
        "#define SIZEOF_LONG_DOUBLE 8",
        "/* #undef HAVE_SEM_TIMEDWAIT */",
        "#define HAVE_KQUEUE 1",
        "#define HAVE_FORK 1",
        "#define THREAD_STACK_SIZE 0x1000000",
    } <= set(found)
    assert "#define SIZEOF_LONG_DOUBLE 16" in cross.configure_header(linux, "x86_64-macos")
