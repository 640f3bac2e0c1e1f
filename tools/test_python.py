"""Builds the package for one interpreter and runs all Python-level tests on it.

usage: PYTHON tools/test_python.py [--pytest-only | --reference-only] [PYTEST ARGUMENT...]

PYTHON is the interpreter to test. The pytest suite runs first, then the reference suite
(tests/reference/run.py); each ends with its runner's own closing line. The exit status is 0 if both passed.
"""

import subprocess
import sys

import environment


def main() -> int:
    arguments = sys.argv[1:]
    only = arguments.pop(0) if arguments[:1] in (["--pytest-only"], ["--reference-only"]) else ""
    made = subprocess.run([sys.executable, str(environment.ROOT / "tools" / "environment.py"), "ours"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if made.returncode != 0:
        return 1
    python = made.stdout.split()[-1]

    suites = {
        "--pytest-only": ["-X", "faulthandler", "-m", "pytest",
                          "-o", f"cache_dir={environment.FOLDER / 'pytest-cache'}", *arguments],
        "--reference-only": [str(environment.ROOT / "tests" / "reference" / "run.py")],
    }
    failed = False
    for name, command in suites.items():
        if only in ("", name):
            result = subprocess.run([python, *command], cwd=environment.ROOT, stdin=subprocess.DEVNULL)
            if result.returncode != 0:
                print(f"{command[-1]} on {python}: exit status {result.returncode}", file=sys.stderr)
                failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
