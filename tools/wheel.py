"""Builds a wheel of this tree for the running interpreter, puts it in dist/ and prints its path.

usage: PYTHON -m tools wheel
"""

import shutil
import tempfile
from pathlib import Path

from tools import ROOT, environment
from tools.usage import parser

DIST = ROOT / "dist"


def build() -> Path:
    """Build the wheel with the build files of the environment `ours`. Returns its path; raises RuntimeError."""
    python = environment.ours()
    # Built in a folder of its own, because dist/ may have wheels of other versions.
    with environment.one_at_a_time(), tempfile.TemporaryDirectory() as folder:
        environment.pip(
            python,
            "wheel",
            "--no-deps",
            "--no-build-isolation",
            *environment.build_settings(),
            "--wheel-dir",
            folder,
            ROOT,
        )
        [made] = Path(folder).glob("*.whl")
        DIST.mkdir(exist_ok=True)
        return Path(shutil.copy2(made, DIST))


def main(arguments: list[str]) -> int:
    parser(__doc__).parse_args(arguments)
    print(build().relative_to(ROOT))
    return 0
