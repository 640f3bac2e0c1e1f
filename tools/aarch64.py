"""CPython for AArch64 under QEMU, and wheels for it.

The interpreters are Debian's packages for arm64, unpacked in folders of their own. A script beside each runs it by
qemu-user and is its sys.executable, so that it can start itself. The compiler and CMake are those of this machine.
"""

import os
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tools import CACHE, ROOT, debian, engine, environment, old_glibc, processes

# Which release of Debian has which CPython. None has 3.12, or a free-threaded one.
SUITES = {"3.11": "bookworm", "3.13": "trixie", "3.14": "sid", "3.15": "sid"}
NAMES = [f"aarch64-{version}" for version in SUITES]
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
COMPILERS = {"C": "aarch64-linux-gnu-gcc", "CXX": "aarch64-linux-gnu-g++", "ASM": "aarch64-linux-gnu-gcc"}
# What builds the package, without what is compiled for a processor.
BUILDERS = ["scikit-build-core>=0.11"]
TEST_PACKAGES = ["objgraph", "pytest", "pytest-timeout"]
# Of tests/core these run under user-mode emulation: the others look at memory, signals or processes.
TESTS = ["switch", "throw", "kill", "garbage", "threads", "start", "parent", "tracing", "attributes"]


def root_of(name: str) -> Path:
    return CACHE / f"arm64-python{name.removeprefix('aarch64-')}"


def python_of(name: str) -> Path:
    """Return the script that runs an interpreter."""
    return root_of(name) / "usr" / "bin" / "python-by-qemu"


def provide(name: str) -> None:
    """Get an interpreter, its headers, the cross compiler and QEMU. Raises RuntimeError if that is not possible."""
    if not engine.provide_foreign("aarch64"):
        raise RuntimeError("the cross compiler for AArch64 or QEMU is missing and can't be installed")
    if python_of(name).exists():
        return
    version, root = name.removeprefix("aarch64-"), root_of(name)
    packages = [f"python{version}", f"libpython{version}-dev", "libgcc-s1"]
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        archives = debian.download(Path(scratch), SUITES[version], "arm64", packages, KEYRING)
        unpacked = Path(scratch) / "root"
        for archive in archives:
            subprocess.run(["dpkg-deb", "--extract", archive, unpacked], check=True)
        if not (unpacked / "lib").exists():  # from trixie on packages have their files in /usr alone
            (unpacked / "lib").symlink_to("usr/lib")
        script = unpacked / python_of(name).relative_to(root)
        executable = root / "usr" / "bin" / f"python{version}"
        script.write_text(f'#!/bin/sh\nexec qemu-aarch64 -L {shlex.quote(str(root))} -0 "$0" {executable} "$@"\n')
        script.chmod(0o755)
        shutil.rmtree(root, ignore_errors=True)
        unpacked.rename(root)


def folder_of(name: str) -> Path:
    """Return the folder of an interpreter's files in build/."""
    return environment.BUILD / f"python-{name}"


def install(name: str, target: Path, *arguments: object) -> None:
    """Install packages in the folder *target*, by the running interpreter's pip, as pip for AArch64 would."""
    version = name.removeprefix("aarch64-")
    # pip takes wheels for exactly these platforms; one of a Debian system accepts many more.
    glibcs = [f"--platform=manylinux_2_{minor}_aarch64" for minor in range(17, 37)]
    environment.pip(
        environment.release(),
        *("install", "--only-binary", ":all:", "--target", target, f"--python-version={version}"),
        *("--implementation=cp", f"--abi=cp{version.replace('.', '')}", "--abi=abi3", "--abi=none"),
        *(*glibcs, "--platform=manylinux2014_aarch64", *arguments),
    )


def build(name: str, sdist: Path, glibc: str) -> Path:
    """Build the wheel from a source archive. Returns its path; raises RuntimeError."""
    folder, root, version = folder_of(name), root_of(name), name.removeprefix("aarch64-")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    install(name, folder / "site", *BUILDERS)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "source", filter="data")
    [source] = (folder / "source").iterdir()
    # The headers for all processors include those for this one by a path that has its name.
    headers = folder / "headers" / "aarch64-linux-gnu"
    headers.mkdir(parents=True)
    headers.joinpath(f"python{version}").symlink_to(root / "usr/include/aarch64-linux-gnu" / f"python{version}")
    link = " ".join(old_glibc.provide(folder / "glibc", glibc, COMPILERS["C"]))
    settings = {
        "CMAKE_SYSTEM_NAME": "Linux",
        "CMAKE_SYSTEM_PROCESSOR": "aarch64",
        **{f"CMAKE_{language}_COMPILER": command for language, command in COMPILERS.items()},
        "CMAKE_CXX_FLAGS": f"-isystem {headers.parent}",
        "CMAKE_MODULE_LINKER_FLAGS": link,
        "Python_EXECUTABLE": str(python_of(name)),
        "Python_INCLUDE_DIR": str(root / "usr/include" / f"python{version}"),
    }
    options = {f"cmake.define.{key}": value for key, value in settings.items()}
    program = f"from scikit_build_core.build import build_wheel; build_wheel({str(folder / 'wheel')!r}, {options!r})"
    tools = environment.build().parent  # CMake and Ninja
    done = subprocess.run(
        [python_of(name), "-c", program],
        cwd=source,
        env={
            **os.environ,
            "PATH": os.pathsep.join([str(tools), os.environ.get("PATH", os.defpath)]),
            "PYTHONPATH": str(folder / "site"),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the wheel of {name} can't be built\n{done.stdout}")
    [made] = (folder / "wheel").glob("*.whl")
    return made


def try_wheel(name: str, platform: str, dist: Path = ROOT / "dist") -> None:
    """Install the wheel from *dist*, and run the trial and tests of the core under QEMU. Raises RuntimeError."""
    target = folder_of(name) / "trial"
    install(name, target, "--no-index", "--find-links", dist, "greenlet")
    install(name, target, *TEST_PACKAGES)
    variables = {"PYTHONPATH": str(target), "PATH": str(Path(shutil.which("qemu-aarch64")).parent)}
    python = [python_of(name), "-P"]
    tests = [f"tests/core/test_{test}.py" for test in TESTS]
    for command in (
        [*python, "tools/wheel_trial.py"],
        [*python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--assert=plain", *tests],
    ):
        with tempfile.TemporaryFile("w+") as log:
            if processes.run(command, 1200, log, variables) != 0:
                log.seek(0)
                raise RuntimeError(f"{' '.join(map(str, command))}\n{log.read()}")
