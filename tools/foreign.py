"""Builds the extension for Debian's CPython of other processors, and runs tests under QEMU.

usage: PYTHON -m tools foreign [PROCESSOR...] [--tests PATH...]

    arm64       64-bit Arm
    armhf       32-bit Arm
    i386        32-bit x86
    loong64     64-bit LoongArch; needs the compiler of Debian sid (tools/in-chroot)
    ppc64el     64-bit PowerPC, little-endian
    riscv64     64-bit RISC-V
    s390x       64-bit IBM Z

Without names: all of them. CPython 3.11 is Debian 12's; riscv64 has 3.13 of Debian 13, arm64 and loong64 3.14 of sid.
The packages are unpacked in the cache outside of the tree. On Debian as root, the cross compilers and QEMU are
installed if they are missing. The builds are in build/foreign-PROCESSOR/. User-mode emulation has no place for tests of
memory, signals and processes; TESTS lists those that are run. A QEMU from 10.2 on also has Arm's shadow stacks, which
one of them needs; tools/shadow_stack.py tries those of Intel.
"""

import os
import shutil
import subprocess
from pathlib import Path

from tools import BUILD, ROOT, engine, environment
from tools.emulated import TEST_PACKAGES, Interpreter
from tools.usage import parse_names, parser

TESTS = [
    *(f"tests/core/test_{name}.py" for name in ("switch", "throw", "kill", "garbage", "killing_garbage", "threads")),
    *(f"tests/core/test_{name}.py" for name in ("start", "parent", "tracing", "attributes", "on_thread_stack")),
    "tests/core/test_scale.py",
    *("tests/interpreter/test_frames.py", "tests/interpreter/test_exception_state.py"),
    "tests/module/test_shadow_stack.py",
    *(f"tests/generators/test_{name}.py" for name in ("yield", "close", "exceptions", "greenlets", "attributes")),
]


TARGETS = {
    each.architecture: each
    for each in (
        Interpreter("aarch64", "arm64", "aarch64-linux-gnu", "3.14", "sid"),
        Interpreter("armv7", "armhf", "arm-linux-gnueabihf"),
        Interpreter("i386", "i386", "i386-linux-gnu"),
        Interpreter("loongarch64", "loong64", "loongarch64-linux-gnu", "3.14", "sid"),
        Interpreter("ppc64le", "ppc64el", "powerpc64le-linux-gnu"),
        Interpreter("riscv64", "riscv64", "riscv64-linux-gnu", "3.13", "trixie"),
        Interpreter("s390x", "s390x", "s390x-linux-gnu"),
    )
}


def build(interpreter: Interpreter) -> Path | None:
    """Build the package. Returns the folder that holds it, or None if that failed."""
    folder = BUILD / f"foreign-{interpreter.architecture}"
    configure = [
        *("cmake", "-Wno-deprecated", "-S", ROOT, "-B", folder / "cmake", f"--preset={interpreter.processor}"),
        f"-DPython_EXECUTABLE={interpreter.python}",
        f"-DPython_INCLUDE_DIR={interpreter.include}",
        f"-DCMAKE_CXX_FLAGS=-isystem {interpreter.headers_in(folder / 'headers')}",
    ]
    make = ["cmake", "--build", folder / "cmake", "--parallel", str(os.cpu_count())]
    install = ["cmake", "--install", folder / "cmake", "--prefix", folder / "site"]
    shutil.rmtree(folder / "site", ignore_errors=True)
    if not all(engine.run(*command) for command in (configure, make, install)):
        return None
    shutil.copytree(ROOT / "python" / "greenlet", folder / "site" / "greenlet", dirs_exist_ok=True)
    packages = folder / "packages"
    if not packages.exists():
        environment.pip(environment.tools(), "install", "--target", packages, *TEST_PACKAGES)
    return folder


def test(python: Path, folder: Path, tests: list[str]) -> bool:
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
    interpreter = TARGETS[name]
    if not engine.provide_foreign(interpreter.processor):
        return "skipped: the cross compiler or QEMU is missing and can't be installed"
    interpreter.provide()
    folder = build(interpreter)
    return "passed" if folder is not None and test(interpreter.python, folder, tests) else "FAILED"


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
