"""Starts Linux in an emulator whose processor has Intel's shadow stacks, and tries the import of the package there.

usage: PYTHON -m tools shadow_stack

Bochs emulates a whole computer. It starts the kernel of Debian 13 from a CD with nothing but CPython 3.13, the package
built for it, pytest and what tests/shadow_stack/init.py runs. As Debian's C library is built without shadow stacks, the
interpreter there is tests/shadow_stack/python.c, which asks the kernel for one as other C libraries do. All packages of
Debian are unpacked in the cache outside of the tree; build/shadow-stack/ has the CD and what Bochs and the system say.
"""

import contextlib
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from tools import BUILD, ROOT, environment, foreign
from tools.emulated import Interpreter
from tools.usage import parser

VERSION = "3.13"
PROCESSOR = "tigerlake"  # the first that Bochs has with them
SECONDS = 900
CLOSING_LINE = re.compile(r"^(\d+) of \1 checks passed$", re.MULTILINE)

EMULATOR = ("bochs", "bochs-term", "bochsbios", "vgabios")  # -term is not used, but without it the one for X11 comes
MEDIUM = ("isolinux", "syslinux-common", "xorriso", "linux-image-cloud-amd64")
COMPUTER = Interpreter("release", "amd64", "x86_64-linux-gnu", VERSION, "trixie", (*EMULATOR, *MEDIUM))
DEBIAN = COMPUTER.root / "usr"
LIBRARIES = [
    *("ld-linux-x86-64.so.2", "libc.so.6", "libm.so.6", "libz.so.1", "libexpat.so.1", "libffi.so.8"),
    *("libgcc_s.so.1", f"libpython{VERSION}.so.1.0"),
]
WITHOUT = shutil.ignore_patterns(
    "test", "idlelib", "tkinter", "ensurepip", "pydoc_data", "lib2to3", "turtle*", "*.a", "sitecustomize.py"
)

SETTINGS = """
megs: 512
cpu: model={processor}, count=1, ips=50000000, reset_on_triple_fault=0
romimage: file={share}/BIOS-bochs-latest
vgaromimage: file={share}/VGABIOS-lgpl-latest
ata0-master: type=cdrom, path=cd.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=console.txt
log: bochs.txt
display_library: rfb, options="timeout=0"
panic: action=fatal
"""
# nopku: the kernel saves the register of protection keys and then those of the shadow stack, and restores only these.
# Bochs 3.0 then reads them from where the former is, so a process loses its shadow stack once another one has run.
BOOT = """
default linux
label linux
  kernel /vmlinuz
  append initrd=/initramfs console=ttyS0 quiet nokaslr mitigations=off nopku panic=-1
"""


def program(name: str) -> list[str | Path]:
    """Return the command of a program of Debian's packages."""
    return [*COMPUTER.linker, DEBIAN / "bin" / name]


def make_tree(tree: Path, package: Path) -> None:
    """Fill the folder *tree* with the files of the system, given the folder of the built *package*."""
    shutil.rmtree(tree, ignore_errors=True)
    libraries = tree / "usr" / "lib" / COMPUTER.headers
    (tree / "usr" / "bin").mkdir(parents=True)
    libraries.mkdir(parents=True)
    for name in LIBRARIES:
        shutil.copy(DEBIAN / "lib" / COMPUTER.headers / name, libraries)
    (tree / "lib64").symlink_to(f"usr/lib/{COMPUTER.headers}")
    standard = f"lib/python{VERSION}"
    shutil.copytree(DEBIAN / standard, tree / "usr" / standard, ignore=WITHOUT)
    shutil.copytree(package / "site", tree / "site")
    shutil.copytree(package / "packages", tree / "packages")
    shutil.copy(ROOT / "tests" / "module" / "test_shadow_stack.py", tree)
    shutil.copy(ROOT / "tests" / "shadow_stack" / "init.py", tree / "init")
    (tree / "init").chmod(0o755)
    compile_all = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([COMPUTER.python, *compile_all, tree], stdout=subprocess.DEVNULL)
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run(
        [
            *(*compiler, "-O2", "-Wall", "-Werror", ROOT / "tests" / "shadow_stack" / "python.c"),
            *("-o", tree / "usr" / "bin" / "python", f"-I{COMPUTER.include}"),
            *(f"-I{COMPUTER.headers_in(package / 'headers').resolve()}", libraries / LIBRARIES[-1]),
            "-Wl,--allow-shlib-undefined",
        ],
        check=True,
    )


def archive(tree: Path, target: Path) -> None:
    """Write the files of a *tree* in the format that the kernel unpacks, that of `cpio --format=newc`."""
    with open(target, "wb") as file:

        def add(name: str, mode: int, content: bytes) -> None:
            numbers = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
            for part in (b"070701" + b"".join(b"%08X" % each for each in numbers) + name.encode() + b"\0", content):
                file.write(part + bytes(-len(part) % 4))

        for path in sorted(tree.rglob("*")):
            if path.is_symlink():
                content = os.readlink(path).encode()
            else:
                content = path.read_bytes() if path.is_file() else b""
            add(str(path.relative_to(tree)), path.lstat().st_mode, content)
        add("TRAILER!!!", 0, b"")


def make_cd(folder: Path) -> None:
    """Make cd.iso in *folder* from its folder "tree"."""
    cd = folder / "cd"
    shutil.rmtree(cd, ignore_errors=True)
    cd.mkdir()
    [kernel] = (COMPUTER.root / "boot").glob("vmlinuz-*")
    shutil.copy(kernel, cd / "vmlinuz")
    archive(folder / "tree", cd / "initramfs")
    for name in ("ISOLINUX/isolinux.bin", "syslinux/modules/bios/ldlinux.c32"):
        shutil.copy(DEBIAN / "lib" / name, cd)
    (cd / "isolinux.cfg").write_text(BOOT)
    subprocess.run(
        [
            *(*program("xorriso"), "-as", "mkisofs", "-quiet", "-o", folder / "cd.iso", "-b", "isolinux.bin"),
            *("-c", "boot.cat", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", cd),
        ],
        check=True,
    )


def start(folder: Path) -> str:
    """Start the computer, and wait until it is off. Returns what the system printed."""
    share = DEBIAN / "share" / "bochs"
    plugins = DEBIAN / "lib" / COMPUTER.headers / "bochs" / "plugins"
    (folder / "settings").write_text(SETTINGS.format(processor=PROCESSOR, share=share))
    console = folder / "console.txt"
    console.write_text("")
    with open(folder / "output.txt", "wb") as output, contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(  # its exit status is 1 also after the system switched it off
            [*program("bochs-bin"), "-q", "-f", "settings"],
            cwd=folder,
            env={**os.environ, "LTDL_LIBRARY_PATH": str(plugins), "BXSHARE": str(share)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            timeout=SECONDS,
        )
    lines = console.read_text(errors="replace").splitlines()
    return "\n".join(line for line in lines if not line.startswith("["))  # the kernel's begin so


def main(arguments: list[str]) -> int:
    parser(__doc__).parse_args(arguments)
    if platform.machine() != "x86_64":
        raise RuntimeError("this needs an x86-64 system")
    os.environ["PATH"] = os.pathsep.join([str(environment.tools().parent), os.environ.get("PATH", os.defpath)])
    COMPUTER.provide()
    package = foreign.build(COMPUTER)
    if package is None:
        return 1
    folder = BUILD / "shadow-stack"
    make_tree(folder / "tree", package)
    make_cd(folder)
    said = start(folder)
    passed = CLOSING_LINE.search(said) is not None
    print(f"{said}\nshadow_stack: {'passed' if passed else f'FAILED, see {folder}/*.txt'}")
    return not passed
