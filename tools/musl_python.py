"""CPython for musl, built from Debian's source packages with the compilers of tools/musl_compiler.py.

It has zlib and libffi, and so ctypes; it lacks the modules of libraries that would have to be built first: ssl,
sqlite3, bz2, lzma, readline, curses, dbm, tkinter, uuid. CPython's own choice of threads' stack sizes is not changed:
128 KiB, as musl gives them.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import CACHE, debian, musl_compiler
from tools.emulated import KEYRING
from tools.musl_compiler import TARGETS, Target

VERSION = "3.13"
# The releases of Debian whose source packages are built.
SUITES = {"zlib": "bookworm", "libffi": "bookworm", f"python{VERSION}": "trixie"}
LIBRARIES = ["zlib", "libffi"]
BUILD_SYSTEM = "x86_64-pc-linux-gnu"


def prefix(target: Target) -> Path:
    """Return the folder that CPython is installed in."""
    return target.folder / f"python{VERSION}"


def python(target: Target) -> Path:
    """Return the interpreter, or the script that runs it by QEMU."""
    return prefix(target) / "bin" / (f"python{VERSION}" if target.is_native else "python-by-qemu")


def include(target: Target) -> Path:
    return prefix(target) / "include" / f"python{VERSION}"


def unpack_source(package: str, folder: Path) -> Path:
    """Download and unpack a source package in *folder*. Returns the folder of the source."""
    place = folder / package
    archive = debian.download_source(place / "archive", SUITES[package], package, KEYRING)
    source = place / "source"
    source.mkdir()
    subprocess.run(["tar", "--extract", "--file", archive, "--directory", source, "--strip-components=1"], check=True)
    return source


class Builder:
    """Builds and installs source packages for a target; what they print goes to the file *log*."""

    def __init__(self, target: Target, log) -> None:
        self.target = target
        self.log = log
        self.libraries = target.folder / "libraries"
        self.variables = {
            "CC": str(target.command("gcc")),
            "CXX": str(target.command("zig-c++")),
            "PKG_CONFIG_LIBDIR": str(self.libraries / "lib" / "pkgconfig"),
        }

    def run(self, source: Path, *command: str | Path, **variables: str) -> None:
        subprocess.run(
            [str(part) for part in command],
            cwd=source,
            env={**os.environ, **self.variables, **variables},
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    def make(self, source: Path, *arguments: str) -> None:
        self.run(source, "make", f"-j{os.cpu_count()}", *arguments)

    def build_library(self, name: str, scratch: Path) -> None:
        source = unpack_source(name, scratch)
        host = [] if name == "zlib" else [f"--host={self.target.triplet}", f"--build={BUILD_SYSTEM}", "--disable-docs"]
        kind = "--static" if name == "zlib" else "--disable-shared"
        self.run(source, "./configure", f"--prefix={self.libraries}", kind, *host, CFLAGS="-O2 -fPIC")
        self.make(source, "install")

    def build_python(self, scratch: Path) -> None:
        source = unpack_source(f"python{VERSION}", scratch)
        foreign = [
            *(f"--host={self.target.triplet}", f"--build={BUILD_SYSTEM}", "--enable-ipv6"),
            *("ac_cv_file__dev_ptmx=yes", "ac_cv_file__dev_ptc=no"),
        ]
        if not self.target.is_native:  # the interpreter that takes part in the build has to be of the same release
            foreign.append(f"--with-build-python={provide(TARGETS['x86_64'])}")
        self.run(
            source,
            *("./configure", f"--prefix={prefix(self.target)}", "--with-ensurepip=no", "--disable-test-modules"),
            *([] if self.target.is_native else foreign),
            OPT="-DNDEBUG -g -O2 -Wall",
        )
        self.make(source)
        self.run(source, "make", "install", f"DESTDIR={scratch / 'stage'}")
        stage = scratch / "stage" / prefix(self.target).relative_to("/")
        if not self.target.is_native:
            executable = shlex.quote(str(prefix(self.target) / "bin" / f"python{VERSION}"))
            command = f'exec qemu-{self.target.processor} -0 "$0" {executable} "$@"'
            script = stage / "bin" / python(self.target).name
            script.write_text(f"#!/bin/sh\n{command}\n")
            script.chmod(0o755)
        shutil.move(stage, prefix(self.target))


def provide(target: Target) -> Path:
    """Build the interpreter, unless it is there. Returns its path; raises RuntimeError or CalledProcessError."""
    musl_compiler.provide(target)
    if python(target).exists():
        return python(target)
    debian.install_commands({"make": "make", "pkg-config": "pkg-config", "xz": "xz-utils"})
    log = CACHE / f"{target.folder.name}.log"
    print(f"building CPython {VERSION} for {target.triplet}, log in {log}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder, open(log, "w") as output:
        builder = Builder(target, output)
        for name in LIBRARIES:
            builder.build_library(name, Path(folder))
        builder.build_python(Path(folder))
    return python(target)
