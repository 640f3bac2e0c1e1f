"""The two virtual environments of a client: its published wheels with our package, and with the reference."""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools import environment

CACHE = ROOT / "build" / "clients"
# Wheels, sources and environments of the running interpreter.
FOLDER = CACHE / environment.FOLDER.name


class Unavailable(Exception):
    """A client can't be run here; the text says why."""


def pip(python: Path | str, *arguments: object) -> None:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900
    )
    if result.returncode != 0:
        raise Unavailable(f"pip {' '.join(map(str, arguments))}: {result.stdout.strip()}")


def wheel() -> Path:
    """Build our package from this tree as a wheel, in isolation, as pip does for users."""
    python = environment.make(FOLDER / "environments" / "pip", ["pip"])
    with environment.one_at_a_time(), tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        pip(
            python, "wheel", "--no-deps", f"--config-settings=build-dir={FOLDER / 'cmake'}", "--wheel-dir", folder, ROOT
        )
        built = next(Path(folder).glob("*.whl"))
        return built.replace(FOLDER / built.name)


def make_base(folder: Path, requirements: list[str]) -> Path:
    """Return the interpreter of the environment in *folder*, which is created if needed. Raises Unavailable."""
    try:
        return environment.make(folder, requirements)
    except RuntimeError as error:
        raise Unavailable(str(error).strip()) from error


def make(name: str, package: str, our_wheel: Path, requirements: tuple[str, ...], built: tuple[str, ...]) -> Path:
    """Return the interpreter of the environment of *name* on *package*: "reference" or "ours".

    Both get the same *requirements*, as wheels except those named in *built*. In ours, our wheel then replaces the
    reference. Finally runs `pip check`. Raises Unavailable.
    """
    from_source = [f"--no-binary={distribution}" for distribution in built]
    python = make_base(
        FOLDER / "environments" / f"{name}-{package}",
        ["--only-binary=:all:", *from_source, environment.REFERENCE, *requirements, *built],
    )
    if package == "ours":
        pip(python, "install", "--no-deps", "--force-reinstall", our_wheel)
    pip(python, "check")
    return python


def version(python: Path, distribution: str) -> str:
    code = f"from importlib.metadata import version; print(version({distribution!r}))"
    return subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def sources(python: Path, distribution: str, leave_out: tuple[str, ...] = ()) -> Path:
    """Unpack the source distribution of the version that *python* has installed, without the folders in *leave_out*.

    *leave_out* names the package itself, so that its tests import the installed wheel.
    """
    released = f"{distribution}-{version(python, distribution)}"
    archive = CACHE / "sdists" / f"{released}.tar.gz"
    if not archive.is_file():
        pip(
            python,
            "download",
            "--no-deps",
            "--no-binary",
            distribution,
            "--dest",
            archive.parent,
            released.replace("-", "=="),
        )
    target = FOLDER / "sources" / released
    if not target.is_dir():
        with tarfile.open(archive) as file:
            file.extractall(target.parent, filter="data")
        for name in leave_out:
            shutil.rmtree(target / name)
    return target


def variables(python: Path, **more: str) -> dict[str, str]:
    """Return the environment variables of a test process: few, and the same for both packages."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TERM", "TMPDIR", "USER") if name in os.environ}
    path = os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)])
    return {**kept, "PATH": path, "PYTHONFAULTHANDLER": "1", "PYTHONDONTWRITEBYTECODE": "1", **more}
