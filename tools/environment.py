"""Makes the virtual environments in which this project's package, and the reference, are run.

usage: PYTHON tools/environment.py ours | reference | tools

PYTHON (3.11 or later) is the interpreter the environment is for. `ours` builds this tree and installs it
beside what its tests need; `reference` installs the package of the same name from PyPI; `tools` has just
CMake and Ninja. The path of the environment's interpreter is printed as the last line of standard output,
all else on standard error.

All is kept in build/pythonVERSION/, so that interpreters don't clash, and is only made anew when
something changed: later calls just rebuild what was edited. With $GREENLET_VARIANT it is build/pythonVERSION-VARIANT/, for
builds with other compiler flags (tools/test-sanitizers); `valgrind` is one that tells Valgrind about stacks.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = "greenlet==3.5.6"
IS_DEBUG_BUILD = hasattr(sys, "gettotalrefcount")

# The folder of this interpreter's files: python3.14.2, python3.14.2d (debug), python3.14.2t (free-threaded).
# Then the variant, if there is one.
VARIANT = os.environ.get("GREENLET_VARIANT", "")
FOLDER = ROOT / "build" / f"python{sys.version.split()[0]}{sys.abiflags}{VARIANT and '-' + VARIANT}"


def run(*command: object, **options) -> subprocess.CompletedProcess:
    """Run a command whose output is for people: on standard error. Raises CalledProcessError."""
    return subprocess.run([str(part) for part in command], check=True, stdin=subprocess.DEVNULL,
                          stdout=sys.stderr, **options)


def pip(python: Path, *arguments: object, check: bool = True) -> bool:
    command = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", *map(str, arguments)]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    if result.returncode != 0 and check:
        raise RuntimeError(f"{' '.join(command)}\n{result.stdout}")
    return result.returncode == 0


def system() -> str:
    """What an environment depends on besides its packages: it is made anew when this changes."""
    release = Path("/etc/os-release")
    return f"{sys.executable} {sys.version} {release.read_text() if release.is_file() else sys.platform}"


def make(folder: Path, requirements: list[str]) -> Path:
    """Make the virtual environment *folder* with *requirements*, unless it is there already.

    Returns the path of its interpreter.
    """
    python = folder / "bin" / "python"
    stamp = folder / "made-for"
    wanted = hashlib.sha256("\n".join([system(), *requirements]).encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted and python.exists():
        return python
    print(f"making {folder.relative_to(ROOT)}", file=sys.stderr, flush=True)
    if importlib.util.find_spec("ensurepip"):
        run(sys.executable, "-m", "venv", "--clear", folder)
    elif importlib.util.find_spec("pip"):
        run(sys.executable, "-m", "venv", "--clear", "--without-pip", folder)
        run(sys.executable, "-m", "pip", "--quiet", "--python", python, "install", "pip")
    else:
        raise RuntimeError(f"{sys.executable} has neither ensurepip nor pip: install one "
                           "(on Debian and Ubuntu the package python3-venv)")
    if requirements:
        pip(python, "install", *requirements)
    stamp.write_text(wanted)
    return python


def build_settings() -> list[str]:
    """What pip is to tell the build: where to keep its files, and for which kind of interpreter it is."""
    settings = [f"--config-settings=build-dir={FOLDER / 'cmake'}"]
    if IS_DEBUG_BUILD or VARIANT:
        # For interpreters that check themselves: our assertions and those of CPython's headers as well.
        settings.append("--config-settings=cmake.build-type=Debug")
    if VARIANT == "valgrind":
        settings.append("--config-settings=cmake.define.STACKFUL_VALGRIND=ON")
    return settings


def ours() -> Path:
    """An environment with this tree's package, the tools that build it and what its tests need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    compilers = [os.environ["CXX"].split()[0]] if os.environ.get("CXX") else ["c++", "g++", "clang++"]
    if not any(map(shutil.which, compilers)):
        raise RuntimeError(f"no C++ compiler ({', '.join(compilers)}) in PATH: install one, such as g++")
    python = make(FOLDER / "venv", [*project["build-system"]["requires"], "cmake", "ninja", *extras["test"]])

    pip(python, "install", "--no-deps", "--no-build-isolation", "--force-reinstall", *build_settings(), ROOT)

    # Clients come as the wheels they publish or not at all; the tests that need one look for it. They
    # are installed after the package because they require it.
    stamp = FOLDER / "venv" / "clients-tried"
    clients = extras["test-clients"]
    if not stamp.is_file() or stamp.read_text() != "\n".join(clients):
        for client in clients:
            if not pip(python, "install", "--only-binary", ":all:", client, check=False):
                print(f"no wheel of {client} for this interpreter: tests that need it will be skipped",
                      file=sys.stderr)
        stamp.write_text("\n".join(clients))
    return python


def reference() -> Path:
    """An environment with the reference from PyPI: its wheel, or built from source where there is none."""
    tools = ["objgraph", "psutil"]
    try:
        return make(FOLDER / "reference", ["--only-binary", "greenlet", REFERENCE, *tools])
    except RuntimeError:
        print("no wheel of the reference for this interpreter: building it from source", file=sys.stderr)
        return make(FOLDER / "reference", [REFERENCE, *tools])


def tools() -> Path:
    """An environment with what builds C++: what the system has may be too old, or missing."""
    return make(FOLDER / "tools", ["cmake", "ninja"])


@contextlib.contextmanager
def one_at_a_time():
    """Two programs that want the same environment make it one after the other."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    makers = {"ours": ours, "reference": reference, "tools": tools}
    if len(sys.argv) != 2 or sys.argv[1] not in makers:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with one_at_a_time():
            print(makers[sys.argv[1]]())
    except (RuntimeError, subprocess.CalledProcessError) as error:
        print(f"tools/environment.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
