"""usage: PYTHON -m tools COMMAND [ARGUMENT...]

PYTHON is CPython 3.11 to 3.15 with its headers; `tools/default-python` prints the path of one. Everything that
a command builds or installs goes to build/ (wheels to dist/). Unless they say otherwise, commands use the running
interpreter. `PYTHON -m tools COMMAND --help` explains a command.
"""

import importlib
import subprocess
import sys

COMMANDS = {
    "demo": "build, run the examples, print a timing table compared with the reference",
    "test": "run the pytest suite and the reference's own suite",
    "engine": "run the C++ tests of the stackful engine",
    "foreign": "build for other processors, and run tests of the core under QEMU",
    "shadow_stack": "try the import in an emulator of a processor with shadow stacks of Intel",
    "cross": "compile and link for macOS and FreeBSD, where nothing can be run here",
    "musl": "build for the C library of Alpine Linux, and run all tests",
    "windows": "build for Windows, and run tests of it under Wine",
    "matrix": "run both Python suites on every interpreter found",
    "clients": "run the suites of gevent, eventlet, SQLAlchemy, ... here and on the reference",
    "native": "run native code of NumPy, Java, Qt, ... in greenlets and plainly",
    "differential": "run random programs here and on the reference, and compare",
    "stress": "run everything above and more for as long as you like",
    "sanitize": "run the tests on instrumented builds",
    "gate": "count the instructions of a switch and a spawn, and compare with the limits",
    "docs": "build the documentation site",
    "installation": "install the package in each way that the documentation shows",
    "lint": "check the code: ruff, clang-format, clang-tidy",
    "wheel": "build a wheel for this interpreter and system",
    "wheels": "make a source archive and wheels for others, check and try them",
    "environment": "create a virtual environment and print the path of its interpreter",
    "interpreters": "list the interpreters found",
    "ci": "run the steps of .ci/run, once the system packages are installed",
}


def usage() -> str:
    return f"{__doc__}\n" + "\n".join(f"    {name:13} {what}" for name, what in COMMANDS.items())


def main() -> int:
    command, *arguments = sys.argv[1:] or ["--help"]
    if command in ("-h", "--help"):
        print(usage())
        return 0
    if command not in COMMANDS:
        print(usage(), file=sys.stderr)
        return 2
    sys.argv[0] = f"tools {command}"  # argparse prints this
    try:
        return importlib.import_module(f"tools.{command}").main(arguments)
    except (RuntimeError, subprocess.CalledProcessError) as error:
        print(f"tools {command}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
