"""What a wheel or a source archive has to be: its files, and the extension module in it.

An extension module may need glibc and libgcc's unwinder, or musl alone, but not libstdc++; it has its symbol table, and
the sections that debuggers read.
"""

import re
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath

from tools import ROOT
from tools.old_glibc import parse_version

PERMITTED_LIBRARIES = {"libc.so.6", "libpthread.so.0", "librt.so.1", "libdl.so.2", "libgcc_s.so.1"}
LOADERS = re.compile(r"ld-linux[\w.-]*\.so\.\d")
MUSL = re.compile(r"libc\.musl-\w+\.so\.1")
# The symbol table, for perf, gdb and py-spy; gdb's commands; what another process needs to find greenlets.
KEPT_SECTIONS = {".symtab", ".debug_gdb_scripts", ".greenlet_offsets"}
# What only the C++ and C runtimes of the system may define: weak, and absent without harm.
OPTIONAL = {"_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable", "__gmon_start__"}

# The top of a source archive: what a wheel is built from, and who may use it how.
SDIST_TOP = {
    *("CHANGELOG.md", "CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md", "pyproject.toml", "PKG-INFO"),
    *("include", "python", "src"),
}


@dataclass(frozen=True)
class Extension:
    """What readelf tells of an extension module."""

    libraries: set[str]
    sections: set[str]
    versions: dict[str, tuple[int, ...]]  # the newest version needed, by name: GLIBC, GCC
    undefined: set[str]  # symbols without a version


def read_extension(path: Path) -> Extension:
    def readelf(*options: str) -> str:
        return subprocess.check_output(["readelf", "--wide", *options, path], text=True)

    symbols = readelf("--dyn-syms")
    versions: dict[str, tuple[int, ...]] = {}
    for name, version in re.findall(r" UND \S+?@([A-Z]+)_([\d.]+)", symbols):
        versions[name] = max(versions.get(name, ()), parse_version(version))
    return Extension(
        set(re.findall(r"\(NEEDED\).*\[(.+?)\]", readelf("--dynamic"))),
        set(re.findall(r"^\s*\[ *\d+\] (\.\S+)", readelf("--sections"), re.MULTILINE)),
        versions,
        set(re.findall(r" UND ([^@\s]+)\s*$", symbols, re.MULTILINE)),
    )


def complaints_of_extension(extension: Extension, glibc: str | None = None, musl: Path | None = None) -> Iterator[str]:
    """Yield what is wrong with an extension module.

    Parameters:
        extension: what was read of it.
        glibc: the oldest version that it shall run with, such as 2.17.
        musl: the path of the oldest C library that it shall run with.
    """
    if any(MUSL.fullmatch(library) for library in extension.libraries):
        unwanted = {library for library in extension.libraries if not MUSL.fullmatch(library)}
    else:
        unwanted = {each for each in extension.libraries - PERMITTED_LIBRARIES if not LOADERS.fullmatch(each)}
    for library in sorted(unwanted):
        yield f"needs {library}"
    for section in sorted(KEPT_SECTIONS - extension.sections):
        yield f"has no section {section}"
    if glibc is not None and extension.versions.get("GLIBC", ()) > parse_version(glibc):
        yield f"needs glibc {'.'.join(map(str, extension.versions['GLIBC']))}"
    # Of a library for linking that lacks a symbol the linker says nothing, because the interpreter's are missing too.
    missing = {symbol for symbol in extension.undefined - OPTIONAL if not re.match(r"_?_?Py", symbol)}
    if glibc is not None:
        yield from (f"needs {symbol}, which glibc {glibc} does not have" for symbol in sorted(missing))
    if musl is not None:
        yield from (f"needs {symbol}, which {musl} does not have" for symbol in sorted(missing - defined_by(musl)))


def defined_by(library: Path) -> set[str]:
    """Return the names of the symbols that a library defines."""
    text = subprocess.check_output(["readelf", "--wide", "--dyn-syms", library], text=True)
    return set(re.findall(r"^ *\d+: .* (?!UND)\S+ ([^@\s]+)(?:@\S+)?$", text, re.MULTILINE))


def python_files() -> set[str]:
    """Return the files of the Python package in the tree, as they are in a wheel."""
    folder = ROOT / "python"
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix() for path in files}


def complaints_of_wheel(path: Path, glibc: str | None = None, musl: Path | None = None) -> Iterator[str]:
    """Yield what is wrong with the files of a wheel, and with its extension module (complaints_of_extension())."""
    project, version = path.name.split("-")[:2]
    info = f"{project}-{version}.dist-info"
    with zipfile.ZipFile(path) as wheel:
        names = {name for name in wheel.namelist() if not name.endswith("/")}
        extensions = {name for name in names if re.fullmatch(r"greenlet/_greenlet\.cpython-[\w-]+\.so", name)}
        expected = {
            *(*python_files(), "greenlet/greenlet.h", f"{project}-{version}.data/headers/greenlet.h"),
            *(f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "licenses/LICENSE")),
        }
        for name in sorted(expected - names):
            yield f"lacks {name}"
        # auditwheel adds a list of what it knows about the files (SBOM).
        for name in sorted(names - expected - extensions):
            if not name.startswith(f"{info}/sboms/"):
                yield f"has {name}"
        if len(extensions) != 1:
            yield f"has {len(extensions)} extension modules"
            return
        tags = HeaderParser().parsestr(wheel.read(f"{info}/WHEEL").decode()).get_all("Tag", [])
        listed = path.stem.split("-")[-1].split(".")
        if {tag.split("-")[-1] for tag in tags} != set(listed):
            yield f"has the tags {tags}, which are not those of its name"
        [name] = extensions
        temporary = path.with_suffix(".so")
        try:
            temporary.write_bytes(wheel.read(name))
            yield from complaints_of_extension(read_extension(temporary), glibc, musl)
        finally:
            temporary.unlink(missing_ok=True)


def complaints_of_sdist(path: Path) -> Iterator[str]:
    """Yield what is wrong with the files of a source archive."""
    with tarfile.open(path) as archive:
        files = [PurePosixPath(*PurePosixPath(each.name).parts[1:]) for each in archive if each.isfile()]
    top = {file.parts[0] for file in files}
    for name in sorted(SDIST_TOP - top):
        yield f"lacks {name}"
    for name in sorted(top - SDIST_TOP):
        yield f"has {name}"
    for file in files:
        if "__pycache__" in file.parts or file.suffix in (".so", ".o", ".pyc"):
            yield f"has {file}"
    has = {file.as_posix() for file in files}
    for folder in ("include", "python", "src"):
        for source in (ROOT / folder).rglob("*"):
            name = source.relative_to(ROOT).as_posix()
            if source.is_file() and "__pycache__" not in source.parts and name not in has:
                yield f"lacks {name}"
