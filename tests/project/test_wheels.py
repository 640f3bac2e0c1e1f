"""What makes and checks wheels: the library to link with, the checks of files, and what the project says of itself."""

import importlib.metadata
import io
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from support.environment import HAS_ADDRESS_SANITIZER, IS_DEBUG_BUILD, ROOT, RUNS_UNDER_VALGRIND

from greenlet import _greenlet

if not (ROOT / "tools").is_dir():
    pytest.skip("needs the source tree", allow_module_level=True)
sys.path.insert(0, str(ROOT))
from tools import old_glibc, wheel_contents

sys.path.remove(str(ROOT))

needs_compiler = pytest.mark.skipif(
    not (shutil.which("gcc") and shutil.which("readelf")), reason="needs gcc and readelf"
)


@pytest.mark.skipif(shutil.which("readelf") is None, reason="needs readelf")
@pytest.mark.skipif(
    HAS_ADDRESS_SANITIZER or RUNS_UNDER_VALGRIND or IS_DEBUG_BUILD, reason="that build is made for debugging"
)
def test_the_extension_needs_no_library_of_the_compiler():
    extension = wheel_contents.read_extension(Path(_greenlet.__file__))
    assert any(re.fullmatch(r"libc\.so\.6|libc\.musl-\w+\.so\.1", library) for library in extension.libraries)
    assert list(wheel_contents.complaints_of_extension(extension)) == []


def linked(folder, code, *options):
    """Compile a library that is linked with what glibc 2.17 had. Returns its path."""
    (folder / "library.c").write_text(code)
    made = folder / "library.so"
    link = old_glibc.provide(folder / "glibc", "2.17")
    command = ["gcc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", made, folder / "library.c", *link, *options]
    subprocess.run(list(map(str, command)), check=True)
    return made


@needs_compiler
def test_symbols_are_those_of_the_old_library(tmp_path):
    path = linked(
        tmp_path,
        """
        #include <dlfcn.h>
        #include <pthread.h>
        #include <signal.h>
        #include <string.h>
        #include <time.h>
        int use(timer_t* timer, pthread_key_t* key, struct timespec* now, Dl_info* info) {
            memset(now, 0, sizeof *now);
            return timer_create(CLOCK_MONOTONIC, 0, timer) + pthread_key_create(key, 0) + dladdr(use, info) +
                   clock_gettime(CLOCK_MONOTONIC, now);
        }
        """,
    )
    extension = wheel_contents.read_extension(path)
    assert {"libc.so.6", "libpthread.so.0", "librt.so.1", "libdl.so.2"} <= extension.libraries
    assert extension.versions["GLIBC"] <= (2, 17)
    assert not extension.undefined & {"timer_create", "pthread_key_create", "dladdr", "clock_gettime"}
    # It is loaded with the C library that is here.
    program = f"import ctypes; print(ctypes.CDLL({str(path)!r}).use is not None)"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "True\n"


@needs_compiler
def test_a_symbol_that_the_old_library_lacks_is_noticed(tmp_path):
    path = linked(
        tmp_path,
        """
        #include <pthread.h>
        int use(pthread_cond_t* one, pthread_mutex_t* two, struct timespec* until) {
            return pthread_cond_clockwait(one, two, CLOCK_MONOTONIC, until);
        }
        """,
    )
    complaints = list(wheel_contents.complaints_of_extension(wheel_contents.read_extension(path), "2.17"))
    assert "needs pthread_cond_clockwait, which glibc 2.17 does not have" in complaints
    assert "has no section .greenlet_offsets" in complaints


@needs_compiler
def test_a_library_of_the_compiler_is_noticed(tmp_path):
    path = linked(tmp_path, "double sin(double); double use(double x) { return sin(x); }", "-Wl,--no-as-needed", "-lm")
    complaints = list(wheel_contents.complaints_of_extension(wheel_contents.read_extension(path)))
    assert "needs libm.so.6" in complaints


def extension_for_musl(*libraries, undefined=()):
    return wheel_contents.Extension(
        {"libc.musl-x86_64.so.1", *libraries}, wheel_contents.KEPT_SECTIONS, {}, set(undefined)
    )


def test_with_musl_every_other_library_is_noticed():
    assert list(wheel_contents.complaints_of_extension(extension_for_musl())) == []
    complaints = wheel_contents.complaints_of_extension(extension_for_musl("libgcc_s.so.1", "libc.so.6"))
    assert list(complaints) == ["needs libc.so.6", "needs libgcc_s.so.1"]


@needs_compiler
def test_a_symbol_that_the_oldest_musl_lacks_is_noticed(tmp_path):
    (tmp_path / "libc.c").write_text("void* malloc(unsigned long size) { return 0; } int errors;")
    musl = tmp_path / "libc.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-nostdlib", "-o", musl, tmp_path / "libc.c"], check=True)
    extension = extension_for_musl(undefined=["malloc", "errors", "qsort_r", "PyList_New", "__gmon_start__"])
    complaints = wheel_contents.complaints_of_extension(extension, musl=musl)
    assert list(complaints) == [f"needs qsort_r, which {musl} does not have"]


def test_files_of_an_sdist_are_compared_with_the_tree(tmp_path):
    path = tmp_path / "greenlet-1.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in ("LICENSE", "build/cmake.log", "python/greenlet/__init__.py"):
            archive.addfile(tarfile.TarInfo(f"greenlet-1/{name}"), io.BytesIO())
    complaints = set(wheel_contents.complaints_of_sdist(path))
    assert {"lacks README.md", "has build", "lacks src", "lacks python/greenlet/py.typed"} <= complaints
    assert not complaints & {"lacks LICENSE", "lacks python/greenlet/__init__.py"}


def test_files_of_a_wheel_are_compared_with_the_tree(tmp_path):
    path = tmp_path / "greenlet-1-cp313-cp313-linux_x86_64.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name in ("greenlet/__init__.py", "greenlet/tests.py"):
            wheel.writestr(name, "")
    complaints = set(wheel_contents.complaints_of_wheel(path))
    assert {"lacks greenlet/greenlet.h", "lacks greenlet/_gdb.py", "has greenlet/tests.py"} <= complaints
    assert {"lacks greenlet-1.data/headers/greenlet.h", "has 0 extension modules"} <= complaints
    assert "lacks greenlet/__init__.py" not in complaints


def test_files_are_installed_beside_the_extension():
    folder = Path(_greenlet.__file__).parent
    missing = [name for name in wheel_contents.python_files() if not (folder.parent / name).is_file()]
    assert missing == []
    assert (folder / "greenlet.h").read_bytes() == (ROOT / "include" / "greenlet.h").read_bytes()


def test_the_metadata_names_the_versions_that_are_built():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    minors = range(11, 16)
    named = [text for text in project["project"]["classifiers"] if re.search(r":: 3\.\d+$", text)]
    assert named == [f"Programming Language :: Python :: 3.{minor}" for minor in minors]
    assert project["project"]["requires-python"] == f">=3.{minors[0]}"
    assert project["tool"]["cibuildwheel"]["build"].startswith(f"cp31[{minors[0] % 10}-{minors[-1] % 10}]*-")
    metadata = importlib.metadata.metadata("greenlet")
    assert (metadata["License-Expression"], metadata["License-File"]) == ("MIT", "LICENSE")
    assert metadata["Requires-Python"] == ">=3.11"
