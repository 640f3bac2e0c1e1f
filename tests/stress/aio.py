"""Random programs of tasks and ordinary functions that await, with random operations wherever code may run.

usage: aio.py SEED COUNT [SECONDS [LOOP]]      SECONDS is a time limit; inf means none, as without it

The LOOP is asyncio (the default), uvloop, trio or anyio (which runs on asyncio, uvloop and trio). See awaiting.py.
"""

import importlib
import logging
import sys
import warnings

import survival

LOOPS = ("asyncio", "uvloop", "trio", "anyio")


def main():
    loop = sys.argv[4] if len(sys.argv) > 4 else "asyncio"
    if loop not in LOOPS:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        importlib.import_module(loop)
    except ImportError:
        print(f"aio.py: skipped: {loop} is not installed")
        return 0
    warnings.simplefilter("ignore")
    logging.disable()
    return survival.main(importlib.import_module(f"on_{loop}").Program)


if __name__ == "__main__":
    sys.exit(main())
