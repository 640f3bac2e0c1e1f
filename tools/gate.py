"""Counts the instructions of a switch, a spawn and a few other operations, and compares them with the limits.

usage: PYTHON -m tools gate [ARGUMENT...]

PYTHON is the interpreter to measure; the arguments are those of tests/gate/run.py.
"""

from tools import environment, processes


def main(arguments: list[str]) -> int:
    if arguments[:1] in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    return processes.call([environment.ours(), "tests/gate/run.py", *arguments])
