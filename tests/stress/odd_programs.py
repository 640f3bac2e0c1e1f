"""Programs that misuse greenlets in unusual ways. Each runs in a process of its own, and none may crash or hang it.

usage: odd_programs.py NAME            runs one, prints "NAME: survived"
       odd_programs.py                 prints the names

They are in odd/, and registered in odd/common.py.
"""

import faulthandler
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from stress.odd import destructors, exceptions, frames, greenlets, hooks, process  # noqa: F401
from stress.odd.common import program as PROGRAMS

if __name__ == "__main__":
    faulthandler.enable()
    if len(sys.argv) == 1:
        print(*PROGRAMS, sep="\n")
    else:
        faulthandler.dump_traceback_later(100, exit=True)
        PROGRAMS[sys.argv[1]]()
        print(f"{sys.argv[1]}: survived", flush=True)
