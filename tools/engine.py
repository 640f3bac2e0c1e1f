"""Builds the stackful engine with presets of CMakePresets.json and runs its C++ tests.

usage: PYTHON -m tools engine [PRESET...]

    release             the processor's own switch
    ucontext            the fallback for other processors
    aarch64             for AArch64, under QEMU
    aarch64-ucontext    the same with the fallback
    clang               as release, compiled by Clang
    asan, tsan          under AddressSanitizer and UBSan, or ThreadSanitizer
    valgrind            under Valgrind's memcheck

Without arguments: release, ucontext and aarch64. On Debian as root, GoogleTest and the tools for AArch64 are installed
if they are missing; without a cross compiler AArch64 is skipped. The builds are in build/engine-PRESET/.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tools import BUILD, ROOT, debian, environment
from tools.usage import parse_names, parser

PRESETS = ["release", "ucontext", "aarch64", "aarch64-ucontext", "clang", "asan", "tsan", "valgrind"]
GOOGLETEST = ["/usr/src/googletest", "/usr/include/gtest", "/usr/local/include/gtest"]
CLOSING_LINE = re.compile(r"\d+% tests passed|\[  PASSED  \]")
AARCH64_PACKAGES = ["g++-aarch64-linux-gnu", "qemu-user", "libgtest-dev"]

# Valgrind does not simulate rounding modes. The other tests end processes, measure memory or write to other stacks.
NOT_UNDER_VALGRIND = [
    "*DeathTest*",
    "Process.*",
    "Memory.*",
    "*ParkedExecutions*",
    "Trim.*",
    "Slot.*",
    "*decommits*",
    "*rounding_mode*",
    "*control_words*",
]


def provide_googletest() -> None:
    if not any(map(os.path.isdir, GOOGLETEST)):
        debian.install("libgtest-dev")
    if not any(map(os.path.isdir, GOOGLETEST)):
        raise RuntimeError("GoogleTest is missing: install it (on Debian and Ubuntu the package libgtest-dev)")


def provide_aarch64() -> bool:
    def is_there() -> bool:
        commands = all(map(shutil.which, ("aarch64-linux-gnu-g++", "qemu-aarch64")))
        return commands and os.path.isdir("/usr/aarch64-linux-gnu")

    if not is_there():
        debian.install(*AARCH64_PACKAGES)
    return is_there()


def run(*command: str | Path) -> bool:
    """Run *command* and return whether it succeeded. Prints its closing line, or everything if it failed."""
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    for line in done.stdout.splitlines():
        if done.returncode != 0 or CLOSING_LINE.search(line):
            print(line, flush=True)
    return done.returncode == 0


def build(preset: str) -> Path | None:
    """Build a preset. Returns the folder of the build, or None if it failed."""
    folder = BUILD / f"engine-{preset}"
    configure = [
        "cmake",
        "-Wno-deprecated",
        "-S",
        "src/stackful",
        "-B",
        folder,
        f"--preset={preset}",
        "-DSTACKFUL_BUILD_TESTS=ON",
    ]
    make = ["cmake", "--build", folder, "--parallel", str(os.cpu_count())]
    return folder if run(*configure) and run(*make) else None


def test(preset: str) -> bool:
    folder = build(preset)
    if folder is None:
        return False
    if preset == "valgrind":
        return run(
            "valgrind",
            "--quiet",
            "--error-exitcode=1",
            folder / "tests" / "stackful_tests",
            f"--gtest_filter=-{':'.join(NOT_UNDER_VALGRIND)}",
            "--gtest_brief=1",
        )
    return run(
        "ctest",
        "--test-dir",
        folder,
        "--parallel",
        str(os.cpu_count()),
        "--timeout",
        "120",
        "--output-on-failure",
        "--output-log",
        folder / "tests.log",
    )


def main(arguments: list[str]) -> int:
    presets = parse_names(parser(__doc__), arguments, PRESETS, ["release", "ucontext", "aarch64"]).names
    os.environ["PATH"] = os.pathsep.join([str(environment.tools().parent), os.environ.get("PATH", os.defpath)])
    provide_googletest()
    outcomes = {}
    for preset in presets:
        print(f"== {preset}", flush=True)
        if preset.startswith("aarch64") and not provide_aarch64():
            outcomes[preset] = "skipped: the cross compiler or QEMU is missing and can't be installed"
        else:
            outcomes[preset] = "passed" if test(preset) else "FAILED"
        print(f"== {preset}: {outcomes[preset]}", flush=True)
    print("\nengine:", "; ".join(f"{preset} {outcome}" for preset, outcome in outcomes.items()))
    return "FAILED" in outcomes.values()
