"""Builds a wheel of this tree for the interpreter that runs this file, puts it in dist/ and prints its path."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import environment

DIST = environment.ROOT / "dist"


def build(python: str) -> Path:
    """The wheel that *python*'s environment, which has the tools and what it built before, makes of this tree.

    It is made in a folder of its own: dist/ may have those of other versions. Raises RuntimeError.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment.pip(Path(python), "wheel", "--no-deps", "--no-build-isolation", *environment.build_settings(),
                        "--wheel-dir", folder, environment.ROOT)
        [made] = Path(folder).glob("*.whl")
        DIST.mkdir(exist_ok=True)
        return Path(shutil.copy2(made, DIST))


def main() -> None:
    made = subprocess.run([sys.executable, str(environment.ROOT / "tools" / "environment.py"), "ours"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if made.returncode != 0:
        sys.exit(1)
    print(build(made.stdout.split()[-1]).relative_to(environment.ROOT))


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:
        sys.exit(f"tools/wheel.py: {error}")
