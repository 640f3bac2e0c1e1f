"""Fetches the reference's source distribution, which holds the test suite, through pip.

pip downloads it because pip knows how packages reach this machine: index, proxy, certificates and
credentials come from its configuration files and PIP_* variables. The archive is kept in a cache folder
under build/ and never in the repository.
"""

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "3.5.6"
SHA256 = "8e67c43bdfc88d5fee6db0d3e40175b362fc95fb85f0412d233b9b203c53a575"
ARCHIVE = f"greenlet-{VERSION}.tar.gz"


def _is_the_archive(path: Path) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == SHA256


def fetch(cache: Path) -> Path:
    """Return the verified archive in *cache*, downloading it if it is not there yet.

    Raises RuntimeError if pip can't get it, or if it is not the file that this project was tested with.
    """
    archive = cache / ARCHIVE
    if _is_the_archive(archive):
        return archive
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        # pip checks the hash before it unpacks anything. --no-binary names only this package, so that
        # setuptools, which pip runs to read the metadata, is still installed from a wheel.
        requirement = Path(folder, "requirements.txt")
        requirement.write_text(f"greenlet=={VERSION} --hash=sha256:{SHA256}\n")
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--no-binary",
            "greenlet",
            "--dest",
            folder,
            "--requirement",
            str(requirement),
        ]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        downloaded = Path(folder, ARCHIVE)
        if result.returncode != 0 or not downloaded.is_file():
            raise RuntimeError(f"pip can't download greenlet {VERSION}:\n{result.stdout}{result.stderr}")
        if not _is_the_archive(downloaded):
            raise RuntimeError(f"{ARCHIVE} is not the file with the sha256 {SHA256}")
        # Several interpreters may download at once, so the complete file is renamed into place.
        os.replace(downloaded, archive)
    return archive


def unpack_tests(archive: Path, package: Path) -> None:
    """Unpack the suite to *package*/tests, and the one header of the reference that it includes."""
    prefix = f"greenlet-{VERSION}/src/greenlet/"
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            if not member.isfile() or not member.name.startswith(prefix):
                continue
            name = member.name[len(prefix) :]
            if name.startswith("tests/") or name == "greenlet_compiler_compat.hpp":
                target = package / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(tar.extractfile(member).read())
