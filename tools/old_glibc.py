"""A C library to link with that looks like an old glibc, so that the result runs on systems from that one on.

A linker binds each symbol to its default version, which is the newest: `timer_create` to GLIBC_2.34 of Debian 12, even
though that system also has the version of GLIBC_2.3.3 for older programs. When a version was the newest it was the
default. So of each symbol this library has the newest version that is not newer than the glibc that it stands for.
Versions newer than that are missing in it. It has no code: only the linker reads it.

In 2.34 the functions of libpthread, librt and libdl moved to libc. The library has them where they were.
"""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

# The libraries that libc took in, and the names of what they had. A system without these names in libc has the
# libraries themselves.
MERGED = {
    "libpthread.so.0": r"_*pthread_|sem_",
    "librt.so.1": r"timer_|aio_|lio_|mq_|shm_",
    "libdl.so.2": r"dl(open|close|sym|vsym|addr1?|error|info|mopen)$",
}
LIBRARIES = ["libc.so.6", *MERGED]

SYMBOL = re.compile(
    r"^\s*\d+:\s+\S+\s+(?P<size>\S+)\s+(?P<kind>FUNC|IFUNC|OBJECT|NOTYPE)\s+(GLOBAL|WEAK)\s+DEFAULT\s+(?!UND|ABS)\S+\s+"
    r"(?P<name>[^@\s]+)@@?GLIBC_(?P<version>[\d.]+)",
    re.MULTILINE,
)

Version = tuple[int, ...]


def parse_version(text: str) -> Version:
    return tuple(map(int, text.split(".")))


def library_of(name: str, found_in: str) -> str:
    """Return the library that had a symbol before libc took in the others."""
    if found_in != "libc.so.6":
        return found_in
    return next((library for library, names in MERGED.items() if re.match(names, name)), found_in)


def find_file(compiler: str, name: str) -> Path | None:
    """Return the path of a library of the compiler's target."""
    path = Path(subprocess.check_output([compiler, f"-print-file-name={name}"], text=True).strip())
    return path.resolve() if path.is_absolute() else None


def symbols(compiler: str, glibc: Version) -> dict[str, dict[str, tuple[Version, str, int]]]:
    """Return the symbols that *glibc* had: for each library, by name, the version, the kind and the size in bytes."""
    had: dict[str, dict[str, tuple[Version, str, int]]] = {library: {} for library in LIBRARIES}
    for library in reversed(LIBRARIES):
        path = find_file(compiler, library)
        if path is None:
            continue
        listing = subprocess.check_output(["readelf", "--dyn-syms", "--wide", path], text=True)
        for found in SYMBOL.finditer(listing):
            version = parse_version(found["version"])
            table = had[library_of(found["name"], library)]
            if version <= glibc and version > table.get(found["name"], ((),))[0]:
                table[found["name"]] = (version, found["kind"], int(found["size"], 0))
    return had


def stub(folder: Path, compiler: str, library: str, table: dict[str, tuple[Version, str, int]]) -> Path:
    """Make a library without code that has the symbols of *table*. Returns its path."""

    def name_of(version: Version) -> str:
        return f"GLIBC_{'.'.join(map(str, version))}"

    lines = [".data"]
    for number, (name, (version, kind, size)) in enumerate(sorted(table.items())):
        lines += [
            f".globl stub_{number}",
            f".type stub_{number}, {'%object' if kind == 'OBJECT' else '%function'}",
            f"stub_{number}: .skip {max(size, 1) if kind == 'OBJECT' else 1}",
            f".size stub_{number}, {max(size, 1) if kind == 'OBJECT' else 1}",
            f".symver stub_{number}, {name}@@@{name_of(version)}",
        ]
    source = folder / f"{library}.s"
    source.write_text("\n".join(lines) + "\n")
    versions = folder / f"{library}.versions"
    versions.write_text(
        "".join(f"{name_of(version)} {{}};\n" for version in sorted({row[0] for row in table.values()}))
    )
    made = folder / library
    subprocess.run(
        [
            *[compiler, "-shared", "-nostdlib", "-o", made, source],
            *[f"-Wl,-soname,{library}", f"-Wl,--version-script={versions}"],
        ],
        check=True,
    )
    return made


def provide(folder: Path, glibc: str, compiler: str = "gcc") -> list[str]:
    """Make the libraries in *folder*. Returns the options for a linker that `-lc` means them.

    Parameters:
        folder: created if it is missing.
        glibc: the version, such as 2.17.
        compiler: a C compiler for the target, whose glibc is at least as new.
    Raises:
        RuntimeError: the compiler's C library is not glibc.
        CalledProcessError: the compiler or readelf failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    had = symbols(compiler, parse_version(glibc))
    if not had["libc.so.6"]:
        raise RuntimeError(f"no versions of glibc's symbols up to {glibc} for {compiler}")
    made = {library: stub(folder, compiler, library, table) for library, table in had.items() if table}
    nonshared = find_file(compiler, "libc_nonshared.a") or ""
    others: Iterable[Path] = [path for library, path in made.items() if library != "libc.so.6"]
    script = f"GROUP ( {made['libc.so.6']} {nonshared} AS_NEEDED ( {' '.join(map(str, others))} ) )\n"
    (folder / "libc.so").write_text(script)
    return [f"-L{folder}"]
