"""Runs random programs on this tree's package and on the reference, and compares their logs.

usage: PYTHON -m tools differential [ARGUMENT...]

PYTHON is the interpreter to test; the arguments are those of tests/stress/differential.py.
"""

import subprocess

from tools import environment, processes


def main(arguments: list[str]) -> int:
    if arguments[:1] in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    ours, reference = environment.ours(), environment.reference()
    where = subprocess.run(
        [reference, "-c", "import sysconfig; print(sysconfig.get_path('platlib'))"],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.strip()
    return processes.call([ours, "tests/stress/differential.py", "--reference", where, *arguments])
