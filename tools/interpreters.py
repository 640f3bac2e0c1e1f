"""Lists the CPython interpreters that this project can be built and tested with.

usage: PYTHON -m tools interpreters

Prints one line for each: its name, and the command that runs it. Looks in PATH, in pyenv's versions, in the cache
folder of tools/build-python and in the chroot of tools/provide-pythons. Of each minor version from 3.11 to 3.15 the
newest is listed, and separately its debug (-dbg) and free-threaded (t) builds.
"""

import functools
import itertools
import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tools import BUILD, CACHE, ROOT, environment
from tools.usage import parser

CHROOT = Path(os.environ.get("GREENLET_CHROOT") or CACHE / "sid")
SUFFIXES = ("", "d", "t", "-dbg", "td")
EXECUTABLES = ["python3", *(f"python3.{minor}{suffix}" for minor in range(11, 16) for suffix in SUFFIXES)]


@dataclass(frozen=True)
class Interpreter:
    name: str  # 3.14, 3.14-dbg, 3.13t
    hexversion: int
    folder: str  # below build/
    command: tuple[str, ...]  # the path of the executable, after tools/in-chroot if it is in the chroot

    @property
    def prefix(self) -> tuple[str, ...]:
        return self.command[:-1]

    @property
    def is_debug(self) -> bool:
        return self.name.endswith("-dbg")

    @property
    def is_free_threaded(self) -> bool:
        return "t" in self.name.removesuffix("-dbg")

    @property
    def is_release(self) -> bool:
        return not self.is_debug and not self.is_free_threaded

    @property
    def is_current(self) -> bool:
        """Whether this is the running interpreter, or one that shares its folder."""
        return self.folder == environment.FOLDER.name

    def python(self, kind: str = "ours", variant: str = "") -> list[str]:
        """Return the command of the interpreter of the environment *kind*, which environment() creates."""
        folder = environment.folder_of(BUILD / self.folder, variant) / environment.FOLDERS[kind]
        return [*self.prefix, str(folder / "bin" / "python")]

    def environment(self, kind: str = "ours", variant: str = "", log=None, **variables: str) -> list[str]:
        """Create the environment *kind*. Returns the command of its interpreter; raises CalledProcessError.

        The messages go to the file *log*, by default to standard error. *variables* are environment variables of the
        processes that create it.
        """
        command = [*self.command, "-m", "tools", "environment", kind, *(["--variant", variant] if variant else [])]
        subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **variables},
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        return self.python(kind, variant)

    def run_and_read(self, code: str) -> str:
        """Run *code*, and return its output. Raises CalledProcessError."""
        return subprocess.run(
            [*self.command, "-c", code],
            cwd=ROOT,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout.strip()


def probe(*command: str | Path, **variables: str) -> Interpreter | None:
    """Return the interpreter that *command* starts, with more environment *variables*, or None if it can't be used."""
    *prefix, executable = map(str, command)
    try:
        done = subprocess.run(
            [*prefix, executable, "-I", ROOT / "tools" / "probe.py"],
            cwd=ROOT,
            env={**os.environ, **variables},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None
    if done.returncode != 0 or not done.stdout:
        return None
    name, hexversion, folder, path = done.stdout.split()
    return Interpreter(name, int(hexversion), folder, (*prefix, path))


def candidates() -> Iterable[tuple[str | Path, ...]]:
    for folder, name in itertools.product(os.get_exec_path(), EXECUTABLES):
        if os.access(Path(folder) / name, os.X_OK):
            yield (Path(folder) / name,)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for pattern in (pyenv.glob("versions/3.1[1-5]*/bin/python3"), CACHE.glob("python-*/bin/python3")):
        yield from ((path,) for path in sorted(pattern))
    if os.geteuid() == 0 and (CHROOT / ".bootstrapped").exists():
        for name in EXECUTABLES[1:]:
            if (CHROOT / "usr" / "bin" / name).exists():
                yield ROOT / "tools" / "in-chroot", f"/usr/bin/{name}"


@functools.cache
def find() -> tuple[Interpreter, ...]:
    """Return the newest interpreter of each name, sorted by name."""
    newest: dict[str, Interpreter] = {}
    for found in itertools.starmap(probe, candidates()):
        if found and (found.name not in newest or newest[found.name].hexversion < found.hexversion):
            newest[found.name] = found
    return tuple(
        sorted(
            newest.values(),
            key=lambda each: [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", each.name)],
        )
    )


def by_name(name: str) -> Interpreter | None:
    return next((each for each in find() if each.name == name), None)


def main(arguments: list[str]) -> int:
    parser(__doc__).parse_args(arguments)
    for interpreter in find():
        print(f"{interpreter.name:9} {' '.join(interpreter.command)}")
    return 0
