"""Builds the extension for Debian's CPython of other processors, and runs tests under QEMU.

usage: PYTHON -m tools foreign [PROCESSOR...] [--tests PATH...]

    armhf       32-bit Arm
    i386        32-bit x86
    ppc64el     64-bit PowerPC, little-endian
    riscv64     64-bit RISC-V
    s390x       64-bit IBM Z

Without names: all of them. CPython 3.11 is Debian 12's; riscv64 has 3.13 of Debian 13. The packages are unpacked in
the cache outside of the tree. On Debian as root, the cross compilers and QEMU are installed if they are missing. The
builds are in build/foreign-PROCESSOR/. User-mode emulation has no place for tests of memory, signals and processes;
TESTS lists those that are run.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools import BUILD, CACHE, ROOT, debian, engine, environment
from tools.usage import parse_names, parser

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
TEST_PACKAGES = ["objgraph", "pytest", "pytest-timeout"]
TESTS = [
    *(f"tests/core/test_{name}.py" for name in ("switch", "throw", "kill", "garbage", "killing_garbage", "threads")),
    *(f"tests/core/test_{name}.py" for name in ("start", "parent", "tracing", "attributes", "on_thread_stack")),
    "tests/core/test_scale.py",
    *("tests/interpreter/test_frames.py", "tests/interpreter/test_exception_state.py"),
    *(f"tests/generators/test_{name}.py" for name in ("yield", "close", "exceptions", "greenlets", "attributes")),
]


@dataclass(frozen=True)
class Target:
    processor: str  # in tools/engine.py and CMakePresets.json
    headers: str  # Debian's name of the architecture in paths
    version: str = "3.11"
    suite: str = "bookworm"


TARGETS = {
    "armhf": Target("armv7", "arm-linux-gnueabihf"),
    "i386": Target("i386", "i386-linux-gnu"),
    "ppc64el": Target("ppc64le", "powerpc64le-linux-gnu"),
    "riscv64": Target("riscv64", "riscv64-linux-gnu", "3.13", "trixie"),
    "s390x": Target("s390x", "s390x-linux-gnu"),
}


def provide(name: str) -> Path:
    """Get an interpreter and its headers. Returns the script that runs it; raises RuntimeError."""
    target = TARGETS[name]
    root = CACHE / f"{name}-python{target.version}"
    python = root / "usr" / "bin" / "python-by-qemu"
    if python.exists():
        return python
    packages = [f"python{target.version}", f"libpython{target.version}-dev", "libgcc-s1", "libstdc++6"]
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        unpacked = Path(scratch) / "root"
        for archive in debian.download(Path(scratch), target.suite, name, packages, KEYRING):
            subprocess.run(["dpkg-deb", "--extract", archive, unpacked], check=True)
        for folder in unpacked.glob("usr/lib*"):  # from Debian 13 on only base-files has these links
            if not (unpacked / folder.name).exists():
                (unpacked / folder.name).symlink_to(Path("usr") / folder.name)
        for link in unpacked.glob("lib*/*"):  # the emulator follows the host's links
            if link.is_symlink() and os.readlink(link).startswith("/"):
                place = os.path.relpath(os.readlink(link), "/" / link.parent.relative_to(unpacked))
                link.unlink()
                link.symlink_to(place)
        emulator = f"qemu-{engine.FOREIGN[target.processor][1]}"
        executable = root / "usr" / "bin" / f"python{target.version}"
        script = unpacked / "usr" / "bin" / python.name
        script.write_text(f'#!/bin/sh\nexec {emulator} -L {shlex.quote(str(root))} -0 "$0" {executable} "$@"\n')
        script.chmod(0o755)
        shutil.rmtree(root, ignore_errors=True)
        unpacked.rename(root)
    return python


def build(name: str, python: Path) -> Path | None:
    """Build the package for a processor. Returns the folder that holds it, or None if that failed."""
    target = TARGETS[name]
    folder = BUILD / f"foreign-{name}"
    include = python.parents[1] / "include"
    # The headers for all processors include those for this one by a path that has its name.
    headers = folder / "headers" / target.headers
    headers.mkdir(parents=True, exist_ok=True)
    link = headers / f"python{target.version}"
    link.unlink(missing_ok=True)
    link.symlink_to(include / target.headers / f"python{target.version}")
    configure = [
        *("cmake", "-Wno-deprecated", "-S", ROOT, "-B", folder / "cmake", f"--preset={target.processor}"),
        f"-DPython_EXECUTABLE={python}",
        f"-DPython_INCLUDE_DIR={include / f'python{target.version}'}",
        f"-DCMAKE_CXX_FLAGS=-isystem {headers.parent}",
    ]
    make = ["cmake", "--build", folder / "cmake", "--parallel", str(os.cpu_count())]
    install = ["cmake", "--install", folder / "cmake", "--prefix", folder / "site"]
    shutil.rmtree(folder / "site", ignore_errors=True)
    if not all(engine.run(*command) for command in (configure, make, install)):
        return None
    shutil.copytree(ROOT / "python" / "greenlet", folder / "site" / "greenlet", dirs_exist_ok=True)
    packages = folder / "packages"
    if not packages.exists():
        environment.pip(Path(sys.executable), "install", "--target", packages, *TEST_PACKAGES)
    return folder


def test(name: str, python: Path, folder: Path, tests: list[str]) -> bool:
    return (
        subprocess.run(
            [python, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--assert=plain", *tests],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{folder / 'site'}:{folder / 'packages'}"},
            stdin=subprocess.DEVNULL,
        ).returncode
        == 0
    )


def run(name: str, tests: list[str]) -> str:
    if not engine.provide_foreign(TARGETS[name].processor):
        return "skipped: the cross compiler or QEMU is missing and can't be installed"
    python = provide(name)
    folder = build(name, python)
    return "passed" if folder is not None and test(name, python, folder, tests) else "FAILED"


def main(arguments: list[str]) -> int:
    parsed = parser(__doc__)
    parsed.add_argument("--tests", nargs="+", default=TESTS)
    options = parse_names(parsed, arguments, TARGETS)
    os.environ["PATH"] = os.pathsep.join([str(environment.tools().parent), os.environ.get("PATH", os.defpath)])
    outcomes = {}
    for name in options.names:
        print(f"== {name}", flush=True)
        outcomes[name] = run(name, options.tests)
        print(f"== {name}: {outcomes[name]}", flush=True)
    print("\nforeign:", "; ".join(f"{name} {outcome}" for name, outcome in outcomes.items()))
    return "FAILED" in outcomes.values()
