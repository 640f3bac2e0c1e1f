"""Builds CPython with musl, the C library of Alpine Linux, then the engine and the package, and runs their tests.

usage: PYTHON -m tools musl [x86_64 | aarch64]... [--python-only] [--tests PATH...]

    x86_64      all tests, the suite of PyPI's greenlet included, natively
    aarch64     the engine's tests, and tests of the core, under QEMU

Without names: x86_64. CPython is 3.13, from Debian's source package; it is built once, which takes some minutes, and
kept in the cache outside of the tree (tools/musl_python.py). The package is compiled by this system's GCC with musl's
headers, the engine's tests by zig, which has a C++ library for musl (tools/musl_compiler.py). --python-only leaves out
the engine's tests, --tests runs these instead of the Python tests named above. The builds are in build/musl-PROCESSOR/.
"""

import os
import shutil
import subprocess
import tarfile
import tomllib
from pathlib import Path

from tools import BUILD, ROOT, aarch64, cross_wheel, engine, environment, foreign, musl_python, processes
from tools.musl_compiler import TARGETS, Target
from tools.usage import parse_names, parser

# Those of the packages for tests and clients that are published for musl are installed; tests skip without the others.
PLATFORM = "musllinux_1_2"
TEST_PACKAGES = ["objgraph", "psutil", "pytest", "pytest-timeout"]
PYTEST = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]

WHEELS = {f"musl-{each.processor}-{musl_python.VERSION}": each for each in TARGETS.values()}


def platform(target: Target) -> str:
    """Return the tag of a wheel."""
    return f"{PLATFORM}_{target.processor}"


def folder_of(target: Target) -> Path:
    return BUILD / f"musl-{target.processor}"


def settings(target: Target) -> dict[str, str]:
    """Return what CMake is to define for the package."""
    command = str(target.command("gcc"))
    found = {
        "CMAKE_C_COMPILER": command,
        "CMAKE_ASM_COMPILER": command,
        "CMAKE_CXX_COMPILER": str(target.command("g++")),
    }
    if not target.is_native:
        found |= {"CMAKE_SYSTEM_NAME": "Linux", "CMAKE_SYSTEM_PROCESSOR": target.processor}
    return found


def install(target: Target, folder: Path, *arguments: object) -> None:
    """Install packages in *folder*. Raises RuntimeError."""
    platforms = [platform(target), f"musllinux_1_1_{target.processor}", f"linux_{target.processor}"]
    cross_wheel.install(musl_python.VERSION, platforms, folder, *arguments)


def pip_in(python: Path, *arguments: object) -> None:
    """Install packages by pip that the interpreter of an environment runs. Raises RuntimeError."""
    environment.pip(environment.release(), "--python", python, "install", *arguments)


def build(target: Target, source: Path, folder: Path) -> Path:
    """Build the wheel of *source* in *folder*/wheel. Returns its path; raises RuntimeError."""
    builders = folder / "builders"
    if not builders.exists():
        install(target, builders, *cross_wheel.BUILDERS)
    python = musl_python.python(target)
    include = {"Python_INCLUDE_DIR": str(musl_python.include(target))}
    return cross_wheel.build(python, builders, source, folder / "wheel", settings(target) | include)


def build_from_sdist(target: Target, sdist: Path) -> Path:
    """Build the wheel of a source archive. Returns its path; raises RuntimeError or CalledProcessError."""
    musl_python.provide(target)
    folder = folder_of(target) / "release"
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "source", filter="data")
    [source] = (folder / "source").iterdir()
    return build(target, source, folder)


def make_environment(target: Target, folder: Path) -> tuple[Path, Path]:
    """Make an empty environment in *folder*. Returns the paths of its interpreter, and of the folder for packages."""
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(
        [musl_python.python(target), "-m", "venv", "--without-pip", folder], check=True, stdin=subprocess.DEVNULL
    )
    return folder / "bin" / "python", folder / "lib" / f"python{musl_python.VERSION}" / "site-packages"


def try_wheel(target: Target, dist: Path) -> None:
    """Install the wheel from *dist*, and run the trial and tests of the core. Raises RuntimeError."""
    python, site = make_environment(target, folder_of(target) / "trial")
    from_dist = ["--no-deps", "--no-index", "--find-links", dist, "greenlet"]
    if target.is_native:
        pip_in(python, *from_dist)
    else:  # pip would look for the C library in the interpreter, which is a script there
        install(target, site, *from_dist)
    # No compiler is in PATH; under QEMU its command has to be.
    path = {"PATH": str(python.parent if target.is_native else Path(shutil.which("qemu-aarch64")).parent)}
    command = [python, "-P", "tools/wheel_trial.py"]
    processes.check([*command, platform(target)] if target.is_native else command, 1200, path)
    install(target, site, *TEST_PACKAGES)
    tests = ["tests/core"] if target.is_native else [f"tests/core/test_{test}.py" for test in aarch64.TESTS]
    processes.check([python, "-P", *PYTEST, *tests], 1200, path)


def install_client(target: Target, folder: Path, client: str) -> None:
    """Install a client in *folder*. Raises RuntimeError."""
    if client != "gevent":
        install(target, folder, client)
        return
    install(target, folder, "--no-deps", client)
    # zope.interface has no wheel for musl. What is compiled in this one is not loaded, and is not needed. In one step
    # with zope.event, because pip would not add to the folder that both share.
    platforms = [f"manylinux2014_{target.processor}"]
    cross_wheel.install(musl_python.VERSION, platforms, folder, "--no-deps", "zope.event", "zope.interface")


def environment_for_tests(target: Target) -> Path:
    """Make an environment with the package and what its tests need. Returns the path of its interpreter."""
    folder = folder_of(target)
    wheel = build(target, ROOT, folder)
    python, site = make_environment(target, folder / "venv")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    install(target, site, *extras["test"])
    for client in extras["test-clients"]:
        try:
            install_client(target, site, client)
        except RuntimeError:
            print(f"no wheel of {client} for musl: tests that need it will be skipped", flush=True)
    # Last, because clients require greenlet.
    shutil.rmtree(site / "greenlet", ignore_errors=True)
    pip_in(python, "--no-deps", "--no-index", "--force-reinstall", wheel)
    return python


def test_python(target: Target, tests: list[str]) -> bool:
    python = environment_for_tests(target)
    if not target.is_native:
        tests = ["--assert=plain", *(tests or foreign.TESTS)]
    passed = processes.call([python, "-P", *PYTEST, *tests]) == 0
    return (bool(tests) or test_reference(target, python)) and passed


def test_reference(target: Target, python: Path) -> bool:
    """Run the reference's suite, which another interpreter downloads. Returns whether it passed."""
    program = (
        "import pathlib, sys; sys.path.insert(0, 'tests/reference'); import sdist; "
        "sdist.fetch(pathlib.Path('build/downloads').resolve())"
    )
    processes.check([environment.release(), "-c", program], 300, {})
    compilers = {"CC": str(target.command("gcc")), "CXX": str(target.command("zig-c++"))}
    return processes.run([python, "tests/reference/run.py"], environment=compilers) == 0


def run(name: str, tests: list[str] | None, python_only: bool) -> str:
    target = TARGETS[name]
    musl_python.provide(target)
    os.environ["PATH"] = os.pathsep.join([str(target.command("gcc").parent), os.environ["PATH"]])
    if not python_only:
        engine.provide_googletest()
    passed = python_only or engine.test(f"musl-{name}")
    return "passed" if test_python(target, tests or []) and passed else "FAILED"


def main(arguments: list[str]) -> int:
    parsed = parser(__doc__)
    parsed.add_argument("--python-only", action="store_true")
    parsed.add_argument("--tests", nargs="+")
    options = parse_names(parsed, arguments, TARGETS, ["x86_64"])
    os.environ["PATH"] = os.pathsep.join([str(environment.tools().parent), os.environ.get("PATH", os.defpath)])
    outcomes = {}
    for name in options.names:
        print(f"== {name}", flush=True)
        outcomes[name] = run(name, options.tests, options.python_only)
        print(f"== {name}: {outcomes[name]}", flush=True)
    print("\nmusl:", "; ".join(f"{name} {outcome}" for name, outcome in outcomes.items()))
    return "FAILED" in outcomes.values()
