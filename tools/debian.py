"""Packages of Debian and Ubuntu."""

import os
import re
import shutil
import subprocess
from pathlib import Path


def can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(*packages: str, seconds: float | None = None) -> None:
    """Install *packages*, if that is possible here. The caller looks whether what it needs is there now.

    Each of the two calls of apt-get may take so many *seconds*. Raises subprocess.TimeoutExpired.
    """
    if not can_install():
        return
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        subprocess.run(
            ["apt-get", *command],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=seconds,
        )


def install_commands(packages: dict[str, str]) -> None:
    """Install the *packages* whose commands, the keys, are missing. Raises RuntimeError if one is still missing."""
    missing = [command for command in packages if shutil.which(command) is None]
    if missing:
        install(*(packages[command] for command in missing))
    for command in missing:
        if shutil.which(command) is None:
            raise RuntimeError(f"{command} is missing and can't be installed (Debian's package {packages[command]})")


def mirror() -> str:
    """Return the Debian mirror of this system's own apt configuration (either format), or Debian's own address."""
    sources = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*.[ls]*"))]
    text = "\n".join(path.read_text() for path in sources if path.is_file())
    found = re.findall(r"^(?:URIs:|deb(?: \[[^]]*\])?)\s+(\S+/debian/?)(?:\s|$)", text, re.MULTILINE)
    return (found or ["http://deb.debian.org/debian"])[0]


def scratch_apt(folder: Path, suite: str, kind: str, architecture: str, keyring: str) -> list[str | Path]:
    """Make the files of an apt-get of its own in *folder*. Returns its command, with the lists of a Debian *suite*.

    This system's own lists of packages and its configuration stay as they are. The *kind* is "deb", or "deb-src" for
    source packages. Raises RuntimeError if apt-get is missing or fails.
    """
    if shutil.which("apt-get") is None:
        raise RuntimeError("there is no apt-get to download packages of Debian with")
    for name in ("lists/partial", "archives/partial", "preferences"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(f"{kind} [signed-by={keyring}] {mirror()} {suite} main\n")
    options = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "root",
        "APT::Install-Recommends": "false",
        "Acquire::Check-Valid-Until": "false",
        "Dir::Etc::SourceList": folder / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::PreferencesParts": folder / "preferences",
        "Dir::State::Lists": folder / "lists",
        "Dir::State::Status": folder / "status",
        "Dir::Cache::Archives": folder / "archives",
        "Dir::Cache::PkgCache": "",
        "Dir::Cache::SrcPkgCache": "",
    }
    apt: list[str | Path] = ["apt-get", "-qq", *(f"-o{key}={value}" for key, value in options.items())]
    run_apt([*apt, "update"], folder, f"{suite} for {architecture}")
    return apt


def run_apt(command: list[str | Path], folder: Path, what: str) -> None:
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode != 0:
        raise RuntimeError(f"apt-get failed: {what}\n{done.stdout}")


def download(
    folder: Path, suite: str, architecture: str, packages: list[str], keyring: str, with_needed: bool = True
) -> list[Path]:
    """Download *packages* of a Debian *suite* for another architecture, and all that they need *with_needed*.

    *folder* holds the package files, and what apt-get needs. Returns the paths of the package files. Raises
    RuntimeError if apt-get is missing or fails.
    """
    apt = scratch_apt(folder, suite, "deb", architecture, keyring)
    action = ["install", "--yes", "--download-only"] if with_needed else ["download"]
    run_apt([*apt, *action, *packages], folder, f"{' '.join(packages)} of {suite} for {architecture}")
    return sorted((folder / "archives" if with_needed else folder).glob("*.deb"))


def download_source(folder: Path, suite: str, package: str, keyring: str) -> Path:
    """Download the source of a *package* of a Debian *suite*. Returns the path of its original source archive.

    Raises RuntimeError if apt-get is missing or fails.
    """
    apt = scratch_apt(folder, suite, "deb-src", "amd64", keyring)
    run_apt([*apt, "source", "--download-only", package], folder, f"the source of {package} in {suite}")
    [archive] = (path for path in folder.glob(f"{package}_*.orig.tar.*") if path.suffix != ".asc")
    return archive
