"""The tools of this project: run `python -m tools` in the root of the tree for a list of the commands."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"

# The cache outside of the tree, for interpreters of tools/build-python and tools/provide-pythons.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "greenlet"
