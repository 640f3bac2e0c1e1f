"""Builds the stackful engine with presets of CMakePresets.json and runs its C++ tests.

usage: PYTHON -m tools engine [PRESET...]

    release             the processor's own switch
    ucontext            the fallback for other processors
    clang               as release, compiled by Clang
    asan, tsan          under AddressSanitizer and UBSan, or ThreadSanitizer
    valgrind            under Valgrind's memcheck
    aarch64, armv7, i386, loongarch64, ppc64le, riscv64, s390x
                        for another processor, under QEMU
    PROCESSOR-ucontext  the same with the fallback; not for loongarch64

Without arguments: release, ucontext and aarch64. On Debian as root, GoogleTest, cross compilers and QEMU are installed
if they are missing; a processor without a cross compiler is skipped. Debian 12 has none for loongarch64, and sid has
(tools/in-chroot). The builds are in build/engine-PRESET/.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tools import BUILD, ROOT, debian, environment
from tools.usage import parse_names, parser

# The processors that are emulated: Debian's name of the compiler's target, and QEMU's of the processor.
FOREIGN = {
    "aarch64": ("aarch64-linux-gnu", "aarch64"),
    "armv7": ("arm-linux-gnueabihf", "arm"),
    "i386": ("i686-linux-gnu", "i386"),
    "loongarch64": ("loongarch64-linux-gnu", "loongarch64"),
    "ppc64le": ("powerpc64le-linux-gnu", "ppc64le"),
    "riscv64": ("riscv64-linux-gnu", "riscv64"),
    "s390x": ("s390x-linux-gnu", "s390x"),
}
PRESETS = [
    *("release", "ucontext", "clang", "asan", "tsan", "valgrind"),
    *FOREIGN,
    # Not loongarch64: swapcontext() of its glibc (2.43) leaves out the floating-point registers.
    *(f"{processor}-ucontext" for processor in FOREIGN if processor != "loongarch64"),
]
GOOGLETEST = ["/usr/src/googletest", "/usr/include/gtest", "/usr/local/include/gtest"]
CLOSING_LINE = re.compile(r"\d+% tests passed|\[  PASSED  \]")

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


def provide_foreign(processor: str) -> bool:
    target, emulated = FOREIGN[processor]

    def is_there() -> bool:
        commands = all(map(shutil.which, (f"{target}-g++", f"qemu-{emulated}")))
        return commands and os.path.isdir(f"/usr/{target}")

    if not is_there():
        debian.install(f"g++-{target}", "qemu-user", "libgtest-dev")
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
        processor = preset.removesuffix("-ucontext")
        if processor in FOREIGN and not provide_foreign(processor):
            outcomes[preset] = "skipped: the cross compiler or QEMU is missing and can't be installed"
        else:
            outcomes[preset] = "passed" if test(preset) else "FAILED"
        print(f"== {preset}: {outcomes[preset]}", flush=True)
    print("\nengine:", "; ".join(f"{preset} {outcome}" for preset, outcome in outcomes.items()))
    return "FAILED" in outcomes.values()
