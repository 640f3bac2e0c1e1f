"""CPython for other processors, run by QEMU: Debian's packages, unpacked in folders of their own.

A script beside each interpreter runs it by qemu-user and is its sys.executable, so that it can start itself.
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
        if not engine.provide_foreign(self.processor):
            raise RuntimeError(f"the cross compiler for {self.processor} or QEMU is missing and can't be installed")
        if not self.python.exists():
            self._unpack()

    def _unpack(self) -> None:
        packages = [f"python{self.version}", f"libpython{self.version}-dev", "libgcc-s1", "libstdc++6"]
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
            emulator = f"qemu-{engine.FOREIGN[self.processor][1]}"
            executable = self.root / "usr" / "bin" / f"python{self.version}"
            script = unpacked / self.python.relative_to(self.root)
            script.write_text(
                f'#!/bin/sh\nexec {emulator} -L {shlex.quote(str(self.root))} -0 "$0" {executable} "$@"\n'
            )
            script.chmod(0o755)
            shutil.rmtree(self.root, ignore_errors=True)
            unpacked.rename(self.root)

    def headers_in(self, folder: Path) -> Path:
        """Return a folder, made in *folder*, that a compiler has to search too.

        The headers for all processors include those for this one by a path that has its name.
        """
        link = folder / self.headers / f"python{self.version}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(self.root / "usr" / "include" / self.headers / link.name)
        return folder
