"""Wheels for AArch64, built and tried with Debian's CPython under QEMU.

The compiler and CMake are those of this machine.
"""

import shutil
import tarfile
from pathlib import Path

from tools import cross_wheel, environment, old_glibc, processes
from tools.emulated import TEST_PACKAGES, Interpreter

# Which release of Debian has which CPython. None has 3.12, or a free-threaded one.
SUITES = {"3.11": "bookworm", "3.13": "trixie", "3.14": "sid", "3.15": "sid"}
INTERPRETERS = {
    f"aarch64-{version}": Interpreter("aarch64", "arm64", "aarch64-linux-gnu", version, suite)
    for version, suite in SUITES.items()
}
NAMES = list(INTERPRETERS)
COMPILERS = {"C": "aarch64-linux-gnu-gcc", "CXX": "aarch64-linux-gnu-g++", "ASM": "aarch64-linux-gnu-gcc"}
# Of tests/core these run under user-mode emulation: the others look at memory, signals or processes.
TESTS = ["switch", "throw", "kill", "garbage", "threads", "start", "parent", "tracing", "attributes"]


def provide(name: str) -> None:
    INTERPRETERS[name].provide()


def folder_of(name: str) -> Path:
    """Return the folder of an interpreter's files in build/."""
    return environment.BUILD / f"python-{name}"


def install(name: str, folder: Path, *arguments: object) -> None:
    """Install packages in *folder*, by the running interpreter's pip, as pip for AArch64 would."""
    # pip takes wheels for exactly these platforms; one of a Debian system accepts many more.
    platforms = [*(f"manylinux_2_{minor}_aarch64" for minor in range(17, 37)), "manylinux2014_aarch64"]
    cross_wheel.install(INTERPRETERS[name].version, platforms, folder, *arguments)


def build(name: str, sdist: Path, glibc: str) -> Path:
    """Build the wheel from a source archive. Returns its path; raises RuntimeError."""
    folder, interpreter = folder_of(name), INTERPRETERS[name]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    install(name, folder / "site", *cross_wheel.BUILDERS)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "source", filter="data")
    [source] = (folder / "source").iterdir()
    link = " ".join(old_glibc.provide(folder / "glibc", glibc, COMPILERS["C"]))
    settings = {
        "CMAKE_SYSTEM_NAME": "Linux",
        "CMAKE_SYSTEM_PROCESSOR": "aarch64",
        **{f"CMAKE_{language}_COMPILER": command for language, command in COMPILERS.items()},
        "CMAKE_CXX_FLAGS": f"-isystem {interpreter.headers_in(folder / 'headers')}",
        "CMAKE_MODULE_LINKER_FLAGS": link,
        "Python_EXECUTABLE": str(interpreter.python),
        "Python_INCLUDE_DIR": str(interpreter.include),
    }
    return cross_wheel.build(interpreter.python, folder / "site", source, folder / "wheel", settings)


def try_wheel(name: str, dist: Path) -> None:
    """Install the wheel from *dist*, and run the trial and tests of the core under QEMU. Raises RuntimeError."""
    target = folder_of(name) / "trial"
    install(name, target, "--no-index", "--find-links", dist, "greenlet")
    install(name, target, *TEST_PACKAGES)
    variables = {"PYTHONPATH": str(target), "PATH": str(Path(shutil.which("qemu-aarch64")).parent)}
    python = [INTERPRETERS[name].python, "-P"]
    tests = [f"tests/core/test_{test}.py" for test in TESTS]
    for command in (
        [*python, "tools/wheel_trial.py"],
        [*python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--assert=plain", *tests],
    ):
        processes.check(command, 1200, variables)
