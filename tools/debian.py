"""Packages of Debian and Ubuntu."""

import os
import shutil
import subprocess


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
