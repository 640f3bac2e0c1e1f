"""Compiles and links the extension module for systems on which it can't be run here.

usage: PYTHON -m tools cross [--quick] [TARGET...]

    aarch64-macos, x86_64-macos, aarch64-freebsd, x86_64-freebsd

Without names: all of them. The compiler is Clang, as PyPI's ziglang has it with the headers and the symbols of these
systems' C libraries; CMake gives it the files and options that a build on the system itself would have. The headers of
CPython are those of PYTHON, with what `configure` would find there. Checked are:

    warnings     there are none
    the switch   its machine code is the same in Mach-O and ELF, and unwinders are led to its call-frame information
    the module   its format and processor, PyInit__greenlet, and whose symbols it needs: the C library's, those of
                 the compiler's own library for C, and CPython's

With --quick, only the first target has a module; of the others only the engine is compiled, and what each layer asks of
the system. The files are in build/cross-TARGET-PYTHON/. Two things that a build there might show go unnoticed here: a
missing #include of one of the headers in PRECOMPILED, and what optimization across files finds.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools import BUILD, ROOT, environment, object_files
from tools.object_files import COMPACT_UNWIND_BY_DWARF, ObjectFile
from tools.usage import parse_names, parser

SYSTEMS = {"macos": "Darwin", "freebsd": "FreeBSD"}  # CMake's names
TARGETS = [f"{processor}-{system}" for system in SYSTEMS for processor in ("aarch64", "x86_64")]

# What `configure` finds otherwise than on Linux, of all that headers look at. None: it is undefined.
CONFIGURATION: dict[str, dict[str, str | None]] = {
    "macos": {
        "HAVE_KQUEUE": "1",
        "HAVE_PTHREAD_CONDATTR_SETCLOCK": None,
        "HAVE_SEM_CLOCKWAIT": None,
        "HAVE_SEM_TIMEDWAIT": None,
        "PTHREAD_KEY_T_IS_COMPATIBLE_WITH_INT": None,
        "PY_HAVE_PERF_TRAMPOLINE": None,
        "THREAD_STACK_SIZE": "0x1000000",
        "_POSIX_C_SOURCE": None,
        "_XOPEN_SOURCE": None,
        "_XOPEN_SOURCE_EXTENDED": None,
    },
    "freebsd": {"HAVE_KQUEUE": "1", "PY_HAVE_PERF_TRAMPOLINE": None, "THREAD_STACK_SIZE": "0x400000"},
    "aarch64": {"HAVE_GCC_ASM_FOR_X64": None, "HAVE_GCC_ASM_FOR_X87": None},
    "x86_64": {},
    "aarch64-macos": {"ALIGNOF_LONG_DOUBLE": "8", "ALIGNOF_MAX_ALIGN_T": "8", "SIZEOF_LONG_DOUBLE": "8"},
}

# Headers that most files include. Parsing them anew takes six times as long as all the rest.
PRECOMPILED = ["<algorithm>", "<atomic>", "<memory>", "<mutex>", "<optional>", '"interpreter/versions/cpython.hpp"']

LIBRARIES = {"macos": {"/usr/lib/libSystem.B.dylib"}, "freebsd": {"libc.so.7", "libthr.so.3", "librt.so.1"}}
OF_CPYTHON = re.compile(r"_?Py|PyInit_")
# On FreeBSD a library of its own, for C as for C++; on macOS it is in libSystem. And what a compiler links statically
# for atomic operations.
OF_THE_COMPILER = re.compile(r"_Unwind_\w+|__aarch64_(?:cas|swp|ld[a-z]+)\d_\w+")


def configure_header(text: str, target: str) -> str:
    """Return pyconfig.h as it would be for *target*, made from that of Linux."""
    processor, system = target.split("-")
    for names in (CONFIGURATION[system], CONFIGURATION[processor], CONFIGURATION.get(target, {})):
        for name, value in names.items():
            line = f"/* #undef {name} */" if value is None else f"#define {name} {value}"
            text, count = re.subn(rf"^(?:#define|/\* #undef) {name}\b.*$", line, text, flags=re.MULTILINE)
            if not count and value is not None:
                text += f"\n{line}\n"
    return text


def own_configuration() -> str:
    """Return pyconfig.h of the running CPython. Debian's includes one of those of all processors."""
    path = Path(sysconfig.get_config_h_filename())
    text = path.read_text()
    triplet = sysconfig.get_config_var("MULTIARCH")
    found = triplet and re.search(rf"^#\s*include <({re.escape(triplet)}/[^>]+)>", text, re.MULTILINE)
    return (path.parent.parent / found[1]).read_text() if found else text


def headers_for(target: str, folder: Path) -> Path:
    """Return a folder with the headers of the running CPython, for another system."""
    source, made = Path(sysconfig.get_path("include")), folder / "headers"
    made.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if path.name != "pyconfig.h" and not (made / path.name).exists():
            (made / path.name).symlink_to(path)
    header = configure_header(own_configuration(), target)
    (made / "pyconfig.h").write_text(header)
    checks = "\n".join(
        f'static_assert({size} == sizeof({kind}), "{kind}");'
        for size, kind in (
            *(("SIZEOF_LONG", "long"), ("SIZEOF_LONG_DOUBLE", "long double"), ("SIZEOF_WCHAR_T", "wchar_t")),
            *(("SIZEOF_PTHREAD_T", "pthread_t"), ("SIZEOF_TIME_T", "time_t"), ("SIZEOF_PID_T", "pid_t")),
            *(("SIZEOF_VOID_P", "void*"), ("ALIGNOF_MAX_ALIGN_T", "char[alignof(max_align_t)]")),
        )
    )
    included = ('"pyconfig.h"', "<pthread.h>", "<stddef.h>", "<sys/types.h>")
    (folder / "checks.cpp").write_text("".join(f"#include {name}\n" for name in included) + checks + "\n")
    return made


class Compiler:
    """Clang for a target, as ziglang has it."""

    def __init__(self, target: str, folder: Path) -> None:
        self.target, self.folder = target, folder
        (self.zig,) = environment.zig().parent.parent.glob("lib/python*/site-packages/ziglang/zig")
        self.warnings: list[str] = []

    def run(self, *command: object, cwd: Path = ROOT) -> None:
        """Run a command. Raises RuntimeError if it fails; keeps what it says otherwise as warnings."""
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{shlex.join(map(str, command))}\n{done.stdout}")
        if "warning:" in done.stdout:
            self.warnings.append(done.stdout)

    def toolchain(self) -> Path:
        """Write what CMake has to know. It links nothing: for that zig would build the C++ library first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        processor, system = self.target.split("-")
        lines = [
            f"set(CMAKE_SYSTEM_NAME {SYSTEMS[system]})",
            f"set(CMAKE_SYSTEM_PROCESSOR {processor})",
            'set(CMAKE_OSX_SYSROOT "" CACHE STRING "")',
            "set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)",
        ]
        tools = {"C_COMPILER": "cc", "CXX_COMPILER": "c++", "ASM_COMPILER": "cc", "AR": "ar", "RANLIB": "ranlib"}
        for name, command in tools.items():
            script = self.folder / f"zig-{command}"
            script.write_text(f'#!/bin/sh\nexec {shlex.quote(str(self.zig))} {command} "$@"\n')
            script.chmod(0o755)
            lines.append(f'set(CMAKE_{name} "{script}")')
            if name.endswith("COMPILER"):
                lines.append(f"set(CMAKE_{name}_TARGET {self.target})")
        path = self.folder / "toolchain.cmake"
        path.write_text("\n".join(lines) + "\n")
        return path

    def commands(self, headers: Path) -> list[list[str]]:
        """Return the commands with which CMake would compile."""
        binaries = environment.tools().parent
        self.run(
            *(binaries / "cmake", "-G", "Ninja", "-S", ROOT, "-B", self.folder / "cmake", "-Wno-dev"),
            f"-DCMAKE_MAKE_PROGRAM={binaries / 'ninja'}",
            f"-DCMAKE_TOOLCHAIN_FILE={self.toolchain()}",
            "-DCMAKE_BUILD_TYPE=Release",
            "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
            f"-DPython_EXECUTABLE={sys.executable}",
            f"-DPython_INCLUDE_DIR={headers}",
        )
        listed = json.loads((self.folder / "cmake" / "compile_commands.json").read_text())
        return [shlex.split(each["command"]) for each in listed]

    def compile(self, commands: list[list[str]]) -> list[Path]:
        """Compile everything. Returns the paths of the objects."""
        of_layer = next((command for command in commands if command[-1].endswith("src/core/kill.cpp")), None)
        if of_layer is None:
            return self.compile_all(commands, None)
        header, precompiled = self.folder / "precompiled.hpp", self.folder / "precompiled.pch"
        header.write_text("".join(f"#include {name}\n" for name in PRECOMPILED))
        precompiled.unlink(missing_ok=True)
        self.run(*of_layer[:-4], "-x", "c++-header", header, "-o", precompiled)
        self.run(*of_layer[:-4], "-o", self.folder / "checks.o", "-c", self.folder / "checks.cpp")
        return self.compile_all(commands, precompiled)

    def compile_all(self, commands: list[list[str]], precompiled: Path | None) -> list[Path]:
        def compile_one(command: list[str]) -> Path:
            *first, _, output, _, source = command  # -o OUTPUT -c SOURCE
            path = self.folder / "cmake" / output
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            uses_it = precompiled is not None and "/src/stackful/" not in source
            extra = ["-Xclang", "-include-pch", "-Xclang", str(precompiled)] if uses_it else []
            self.run(*first, *extra, "-o", path, "-c", source, cwd=self.folder / "cmake")
            return path

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(compile_one, commands))

    def link(self, objects: list[Path]) -> Path:
        """Link the extension module, with the C library alone."""
        path = self.folder / "_greenlet.so"
        path.unlink(missing_ok=True)
        self.run(
            *(self.zig, "build-lib", "-dynamic", "-target", self.target, "-OReleaseSmall", "-fno-strip", "-lc"),
            *("-fno-compiler-rt", "-fno-ubsan-rt", "-fallow-shlib-undefined", "--name", "_greenlet"),
            *(f"-femit-bin={path}", *objects),
            cwd=self.folder,
        )
        return path

    def elf_of_switch(self, source: Path) -> ObjectFile:
        path = self.folder / "switch-elf.o"
        target = f"{self.target.split('-')[0]}-freebsd"
        self.run(self.zig, "cc", "-target", target, f"-I{ROOT / 'src'}", "-o", path, "-c", source)
        return object_files.read(path)


def complaints_of_switch(found: ObjectFile, elf: ObjectFile) -> Iterator[str]:
    """Yield what is wrong with the assembly of the switch, compared with that for ELF."""
    differing = [
        place
        for place, (own, other) in enumerate(zip(found.text, elf.text))
        if own != other and place not in found.relocated
    ]
    if len(found.text) != len(elf.text) or differing:
        where = f"at {differing[0]:#x}" if differing else "in length"
        yield f"the switch's machine code differs from that in ELF {where}"
    # A function without frame that saves nothing needs no call-frame information: stackful_make_context.
    by_dwarf = COMPACT_UNWIND_BY_DWARF[found.processor]
    if found.unwinding.count(by_dwarf) < len(found.unwinding) - 1 or by_dwarf not in found.unwinding:
        yield "the switch's call-frame information was turned into compact unwind information"


def complaints_of_module(found: ObjectFile, target: str) -> Iterator[str]:
    """Yield what is wrong with an extension module for *target*."""
    processor, system = target.split("-")
    wanted = ("Mach-O" if system == "macos" else "ELF", "library", processor)
    if (found.format, found.kind, found.processor) != wanted:
        yield f"is {found.format}, {found.kind}, {found.processor} instead of {', '.join(wanted)}"
    prefix = "_" if system == "macos" else ""
    if f"{prefix}PyInit__greenlet" not in found.defined:
        yield "does not define PyInit__greenlet"
    for library in found.libraries:
        if library not in LIBRARIES[system]:
            yield f"needs {library}"
    for symbol, library in sorted(found.undefined.items()):
        name = symbol.removeprefix(prefix)
        is_of_others = OF_CPYTHON.match(name) or OF_THE_COMPILER.fullmatch(name)
        if library is None and not is_of_others:
            yield f"needs {symbol}, which neither the C library nor CPython has"


def is_of_system(command: list[str]) -> bool:
    """Whether a command compiles the engine or a file that is for one system."""
    return "/src/stackful/" in command[-1] or "/system/" in command[-1]


def run(target: str, with_module: bool) -> bool:
    folder = BUILD / f"cross-{target}-{environment.FOLDER.name}"
    compiler = Compiler(target, folder)
    commands = compiler.commands(headers_for(target, folder))
    objects = compiler.compile(commands if with_module else list(filter(is_of_system, commands)))
    complaints: list[str] = []
    if with_module:
        complaints += complaints_of_module(object_files.read(compiler.link(objects)), target)
    processor, system = target.split("-")
    if system == "macos":
        (switch,) = (path for path in objects if path.name == f"{processor}.S.o")
        elf = compiler.elf_of_switch(ROOT / "src" / "stackful" / "arch" / f"{processor}.S")
        complaints += complaints_of_switch(object_files.read(switch), elf)
    complaints += compiler.warnings
    for complaint in complaints:
        print(f"{target}: {complaint}", flush=True)
    print(f"   {len(objects)} files{', linked' if with_module else ''}", flush=True)
    return not complaints


def main(arguments: list[str]) -> int:
    parsed = parser(__doc__)
    parsed.add_argument("--quick", action="store_true")
    options = parse_names(parsed, arguments, TARGETS)
    outcomes = {}
    for target in options.names:
        begin = time.monotonic()
        print(f"== {target}", flush=True)
        try:
            outcomes[target] = "passed" if run(target, not options.quick or target == options.names[0]) else "FAILED"
        except RuntimeError as error:
            print(error, flush=True)
            outcomes[target] = "FAILED"
        print(f"== {target}: {outcomes[target]} in {time.monotonic() - begin:.0f} s", flush=True)
    print("\ncross:", "; ".join(f"{target} {outcome}" for target, outcome in outcomes.items()))
    return "FAILED" in outcomes.values()
