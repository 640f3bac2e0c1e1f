"""Builds the package, runs the examples and prints the timing table, beside the reference if it can be had.

usage: PYTHON tools/demo.py

All it installs goes to build/. This is what `make demo` runs.
"""

import subprocess
import sys

import environment


def python_of(which: str, required: bool) -> str | None:
    """The interpreter of the environment *which*, made when it isn't there yet."""
    made = subprocess.run([sys.executable, str(environment.ROOT / "tools" / "environment.py"), which],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if made.returncode != 0:
        if required:
            sys.exit(1)
        return None
    return made.stdout.split()[-1]


def say(line: str) -> None:
    print(f"\n{line}\n", flush=True)


def main() -> None:
    print(f"Building the package for CPython {sys.version.split()[0]}: a minute or two the first time.", flush=True)
    ours = python_of("ours", required=True)

    for example in ("two_tasks", "nested_generator"):
        path = environment.ROOT / "examples" / f"{example}.py"
        first_line = path.read_text().splitlines()[0].strip('"')
        say(f"--- examples/{example}.py: {first_line}")
        subprocess.run([ours, str(path)], check=True, stdin=subprocess.DEVNULL)

    say("--- what a greenlet costs, beside the reference if it can be installed")
    reference = python_of("reference", required=False)
    if reference is None:
        print("The reference could not be installed: only this package is measured.", flush=True)
    subprocess.run([ours, str(environment.ROOT / "benchmarks" / "table.py"), ours, *([reference] if reference else [])],
                   check=True, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"tools/demo.py: {error}")
