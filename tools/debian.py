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


def mirror() -> str:
    """Return the Debian mirror of this system's own apt configuration (either format), or Debian's own address."""
    sources = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*.[ls]*"))]
    text = "\n".join(path.read_text() for path in sources if path.is_file())
    found = re.findall(r"^(?:URIs:|deb(?: \[[^]]*\])?)\s+(\S+/debian/?)(?:\s|$)", text, re.MULTILINE)
    return (found or ["http://deb.debian.org/debian"])[0]


def download(folder: Path, suite: str, architecture: str, packages: list[str], keyring: str) -> list[Path]:
    """Download *packages* of a Debian *suite*, and all that they need, for another architecture.

    This system's own lists of packages and its configuration stay as they are; *folder* holds those that are needed.
    Returns the paths of the package files. Raises RuntimeError if apt-get is missing or fails.
    """
    if shutil.which("apt-get") is None:
        raise RuntimeError("there is no apt-get to download packages of Debian with")
    for name in ("lists/partial", "archives/partial", "preferences"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(f"deb [signed-by={keyring}] {mirror()} {suite} main\n")
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
    apt = ["apt-get", "-qq", *(f"-o{key}={value}" for key, value in options.items())]
    for command in (["update"], ["install", "--yes", "--download-only", *packages]):
        done = subprocess.run(
            [*apt, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode != 0:
            raise RuntimeError(f"apt-get {command[0]} of {suite} for {architecture} failed\n{done.stdout}")
    return sorted((folder / "archives").glob("*.deb"))
