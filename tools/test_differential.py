"""Runs random programs on this tree's package and on the reference, and compares what they do.

usage: PYTHON tools/test_differential.py [ARGUMENT...]

PYTHON is the interpreter to test; the arguments are those of tests/stress/differential.py.
"""

import subprocess
import sys

import environment


def made(kind: str) -> str:
    """The interpreter of an environment. Raises CalledProcessError."""
    result = subprocess.run([sys.executable, str(environment.ROOT / "tools" / "environment.py"), kind], check=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    return result.stdout.split()[-1]


def main() -> int:
    try:
        ours, reference = made("ours"), made("reference")
    except subprocess.CalledProcessError:
        return 1
    where = subprocess.run([reference, "-c", "import sysconfig; print(sysconfig.get_path('platlib'))"], check=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    script = environment.ROOT / "tests" / "stress" / "differential.py"
    return subprocess.run([ours, str(script), "--reference", where.stdout.strip(), *sys.argv[1:]],
                          stdin=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(main())
