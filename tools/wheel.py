"""Builds a wheel of this tree for the interpreter that runs this file, and puts it in dist/."""

import subprocess
import sys

import environment


def main() -> None:
    made = subprocess.run([sys.executable, str(environment.ROOT / "tools" / "environment.py"), "ours"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if made.returncode != 0:
        sys.exit(1)
    # The environment has the tools that build the package, and what it built before.
    environment.pip(made.stdout.split()[-1], "wheel", "--no-deps", "--no-build-isolation",
                    *environment.build_settings(), "--wheel-dir", environment.ROOT / "dist", environment.ROOT)
    for wheel in sorted((environment.ROOT / "dist").glob("*.whl")):
        print(wheel.relative_to(environment.ROOT))


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:
        sys.exit(f"tools/wheel.py: {error}")
