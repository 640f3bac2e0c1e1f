"""CPython for other processors, run by QEMU: Debian's packages, unpacked in folders of their own.

A script beside each interpreter runs it by qemu-user and is its sys.executable, so that it can start itself. One for
this processor, of another release of Debian, is run by that release's dynamic linker instead.
"""

import os
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools import CACHE, debian, engine

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
TEST_PACKAGES = ["objgraph", "pytest", "pytest-timeout"]


@dataclass(frozen=True)
class Interpreter:
    processor: str  # in tools/engine.py and CMakePresets.json
    architecture: str  # Debian's name of it
    headers: str  # Debian's name of it in paths
    version: str = "3.11"
    suite: str = "bookworm"
    also: tuple[str, ...] = ()  # more packages for its folder

    @property
    def is_native(self) -> bool:
        return self.architecture == "amd64"

    @property
    def root(self) -> Path:
        return CACHE / f"{self.architecture}-python{self.version}"

    @property
    def python(self) -> Path:
        """The script that runs it."""
        return self.root / "usr" / "bin" / "python-by-qemu"

    @property
    def include(self) -> Path:
        return self.root / "usr" / "include" / f"python{self.version}"

    def provide(self) -> None:
        """Get the interpreter and its headers, and a cross compiler and QEMU. Raises RuntimeError."""
        if not self.is_native and not engine.provide_foreign(self.processor):
            raise RuntimeError(f"the cross compiler for {self.processor} or QEMU is missing and can't be installed")
        if not self.python.exists():
            self._unpack()

    def _unpack(self) -> None:
        packages = [f"python{self.version}", f"libpython{self.version}-dev", "libgcc-s1", "libstdc++6", *self.also]
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            unpacked = Path(scratch) / "root"
            for archive in debian.download(Path(scratch), self.suite, self.architecture, packages, KEYRING):
                subprocess.run(["dpkg-deb", "--extract", archive, unpacked], check=True)
            for folder in unpacked.glob("usr/lib*"):  # from Debian 13 on only base-files has these links
                if not (unpacked / folder.name).exists():
                    (unpacked / folder.name).symlink_to(Path("usr") / folder.name)
            for link in unpacked.glob("lib*/*"):  # the emulator follows the host's links
                if link.is_symlink() and os.readlink(link).startswith("/"):
                    place = os.path.relpath(os.readlink(link), "/" / link.parent.relative_to(unpacked))
                    link.unlink()
                    link.symlink_to(place)
            script = unpacked / self.python.relative_to(self.root)
            script.write_text(
                f'#!/bin/sh\nexec {self.runner()} "$0" {self.quoted("usr/bin/python" + self.version)} "$@"\n'
            )
            script.chmod(0o755)
            shutil.rmtree(self.root, ignore_errors=True)
            unpacked.rename(self.root)

    def quoted(self, path: str) -> str:
        return shlex.quote(str(self.root / path))

    @property
    def linker(self) -> list[str]:
        """The words that run a program of the folder on this processor. Its path follows them."""
        folder = self.root / "usr" / "lib" / self.headers
        return [str(self.root / "lib64" / "ld-linux-x86-64.so.2"), "--library-path", str(folder)]

    def runner(self) -> str:
        """Return the words that run a program of the folder. Its name for itself follows them, then its path."""
        if self.is_native:
            return f"{shlex.join(self.linker)} --argv0"
        return f"qemu-{engine.FOREIGN[self.processor][1]} -L {self.quoted('')} -0"

    def headers_in(self, folder: Path) -> Path:
        """Return a folder, made in *folder*, that a compiler has to search too.

        The headers for all processors include those for this one by a path that has its name.
        """
        link = folder / self.headers / f"python{self.version}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(self.root / "usr" / "include" / self.headers / link.name)
        return folder
