"""The system commands and shared libraries that a suite needs, installed from Debian if possible."""

import shutil
import subprocess
from pathlib import Path

from environments import Unavailable  # makes `tools` importable

from tools import debian

# Debian's package of a command, a shared library or a file.
DEBIAN = {
    "postgres": "postgresql",
    "wrk": "wrk",
    "chromium": "chromium",
    "cc": "gcc",
    "java": "default-jre-headless",
    "redis-server": "redis-server",
    "nvim": "neovim",
    "libgc.so.1": "libgc1",
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libmonosgen-2.0.so.1": "libmonosgen-2.0-1",
    "/usr/lib/mono/4.5/mscorlib.dll": "libmono-corlib4.5-cil",
    "/usr/lib/R/lib/libR.so": "r-base-core",
}


def have(name: str) -> bool:
    if name.startswith("/"):
        return Path(name).exists()
    if ".so" in name:
        return f"\t{name} " in subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout
    # Debian does not put PostgreSQL's programs in PATH.
    return bool(shutil.which(name) or list(Path("/usr/lib/postgresql").glob(f"*/bin/{name}")))


def install(names: tuple[str, ...]) -> None:
    """Install the system packages that contain *names*, if possible. Raises Unavailable."""
    missing = [DEBIAN[name] for name in names if not have(name)]
    if missing:
        debian.install(*missing, seconds=1200)
    missing = [name for name in names if not have(name)]
    if missing:
        raise Unavailable(f"there is no {', '.join(missing)} here")


def version(name: str) -> str:
    """Return the version of Debian's package that contains *name*."""
    found = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Version}", DEBIAN[name]], capture_output=True, text=True
    )
    return found.stdout.strip()
