"""Makes what is uploaded to a package index: a source archive and wheels, checked and tried, in dist/.

usage: PYTHON -m tools wheels [--quick] [NAME...]

    3.11, 3.13t, ...    a wheel for that interpreter (`python -m tools interpreters` lists those found)
    aarch64-3.11, ...   a wheel for AArch64, compiled here and tried under QEMU
    musl-x86_64-3.13, musl-aarch64-3.13
                        a wheel for systems with musl, such as Alpine Linux (tools/musl.py)

Without names: for every release and free-threaded interpreter found, for AArch64 with each CPython that Debian has, and
for musl; and the source archive is installed by pip.
The wheels are built from the source archive. Each is linked for glibc 2.17 (tools/old_glibc.py) or musl 1.2, auditwheel
confirms its tag and tools/wheel_contents.py checks its files. It is installed from dist/ in an environment without a
compiler, which runs tools/wheel_trial.py and then tests/core. The one for the running interpreter also meets the
published wheels of gevent and SQLAlchemy. --quick makes one wheel, for the running interpreter, and runs only the
trial.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from tools import BUILD, ROOT, aarch64, environment, interpreters, musl, wheel_contents
from tools.interpreters import Interpreter
from tools.usage import parse_names, parser
from tools.wheel import DIST

GLIBC = "2.17"
PLATFORM = f"manylinux_{GLIBC.replace('.', '_')}"
# What the tests need besides the wheel, and the clients with which it is tried.
TEST_PACKAGES = ["objgraph", "psutil", "pytest", "pytest-timeout"]
CLIENTS = ["gevent", "sqlalchemy[asyncio]", "aiosqlite"]


def run(*command: object, **variables: str) -> None:
    """Run a command. Raises RuntimeError with its output if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stdout}")


def refuse(path: Path, complaints: Iterable[str]) -> None:
    """Raise RuntimeError if there are *complaints* about a file."""
    found = list(complaints)
    if found:
        raise RuntimeError("\n".join(f"{path.name} {complaint}" for complaint in found))


def make_sdist(release: Path) -> Path:
    """Make the source archive and check it. Returns its path."""
    for old in DIST.glob("*.tar.gz"):
        old.unlink()
    run(release, "-m", "build", "--sdist", "--outdir", DIST, ROOT)
    [sdist] = DIST.glob("*.tar.gz")
    refuse(sdist, wheel_contents.complaints_of_sdist(sdist))
    return sdist


def audit(release: Path, built: Path, platform: str, **oldest: object) -> Path:
    """Give a wheel the oldest tag that auditwheel confirms, which has to be *platform*, and check it.

    *oldest* is the oldest C library that it has to run with, as wheel_contents.complaints_of_wheel() takes it. Returns
    the path in dist/.
    """
    with tempfile.TemporaryDirectory() as folder:
        run(
            *(release, "-m", "auditwheel", "repair", "--plat", "auto", "--wheel-dir", folder, built),
            PATH=os.pathsep.join([str(release.parent), os.environ.get("PATH", os.defpath)]),
        )
        [made] = Path(folder).glob("*.whl")
        refuse(made, [] if platform in made.name else [f"is not for {platform}"])
        refuse(made, wheel_contents.complaints_of_wheel(made, **oldest))
        return Path(shutil.copy2(made, DIST))


def make_wheel(release: Path, interpreter: Interpreter, sdist: Path) -> Path:
    """Build the wheel for an interpreter. Returns its path."""
    folder = BUILD / interpreter.folder / "wheel"
    shutil.rmtree(folder, ignore_errors=True)
    run(*interpreter.command, "-m", "tools", "wheel", "--glibc", GLIBC, "--to", folder, sdist)
    [built] = folder.glob("*.whl")
    return audit(release, built, f"{PLATFORM}_{os.uname().machine}", glibc=GLIBC)


def install(interpreter: Interpreter) -> list[str]:
    """Install the wheel from dist/ in a new environment. Returns the command of its interpreter, without a compiler."""
    folder = BUILD / interpreter.folder / "trial"
    run(*interpreter.command, "-m", "venv", "--clear", folder)
    python = [*interpreter.prefix, "/usr/bin/env", f"PATH={folder / 'bin'}", str(folder / "bin" / "python")]
    run(*python, "-m", "pip", "install", "--quiet", "--no-index", "--find-links", DIST, "greenlet")
    return python


def try_wheel(interpreter: Interpreter, is_quick: bool) -> None:
    python = install(interpreter)
    run(*python, "-P", "tools/wheel_trial.py", f"{PLATFORM}_{os.uname().machine}")
    if is_quick:
        return
    tests = ["tests/core"]
    packages = TEST_PACKAGES
    if interpreter.is_current:
        tests.append("tests/clients/test_published_clients.py")
        packages = [*packages, *CLIENTS]
    run(*python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", *packages)
    run(*python, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)


def try_sdist(sdist: Path) -> None:
    """Install the source archive as a user does, with pip alone."""
    folder = environment.FOLDER / "trial-sdist"
    run(sys.executable, "-m", "venv", "--clear", folder)
    run(folder / "bin" / "python", "-m", "pip", "install", "--quiet", sdist)
    run(folder / "bin" / "python", "-P", "tools/wheel_trial.py")


def main(arguments: list[str]) -> int:
    parsed = parser(__doc__)
    parsed.add_argument("--quick", action="store_true")
    found = {each.name: each for each in interpreters.find() if not each.is_debug}
    every = [*found, *aarch64.NAMES, *musl.WHEELS]
    options = parse_names(parsed, arguments, every)
    names = [name for name in options.names if not options.quick or name in found and found[name].is_current]
    DIST.mkdir(exist_ok=True)
    release = environment.release()
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{text} ({time.monotonic() - began:.0f} s)", flush=True)

    sdist = make_sdist(release)
    say(f"made {sdist.name}")
    made = [sdist]
    for name in names:
        if name in musl.WHEELS:
            target = musl.WHEELS[name]
            built = musl.build_from_sdist(target, sdist)
            made.append(audit(release, built, musl.platform(target), musl=target.oldest))
            musl.try_wheel(target, DIST)
        elif name in found:
            made.append(make_wheel(release, found[name], sdist))
            try_wheel(found[name], options.quick)
        else:
            aarch64.provide(name)
            made.append(audit(release, aarch64.build(name, sdist, GLIBC), f"{PLATFORM}_aarch64", glibc=GLIBC))
            aarch64.try_wheel(name, DIST)
        say(f"made and tried {made[-1].name}")
    if names == every:
        try_sdist(sdist)
        say(f"installed {sdist.name}")
    run(release, "-m", "twine", "check", "--strict", *made)
    print(f"{len(made) - 1} wheels and a source archive are in {DIST.relative_to(ROOT)}/")
    return 0
