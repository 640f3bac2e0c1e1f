"""Hostile callbacks: each action, in each place where Python calls back.

usage: hostile.py [PLACE...]

A place makes a greenlet, the child of another one, do something that calls back. An action is what the callback does.
The only permitted outcome is an exception: afterwards the main greenlet runs, others can be started and resumed, and
garbage can be collected. The exit status is not 0 if a place or an action does not survive.
"""

import contextlib
import faulthandler
import gc
import sys
from pathlib import Path

from greenlet import getcurrent, greenlet, settrace

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from stress import actions
from stress.actions import ACTIONS, R, main, parrot
from stress.places import PLACES


def is_fatal_to_cpython(name, doing):
    # CPython 3.11 ends the process if creating an exception exceeds the recursion limit, also in a generator's throw().
    return sys.version_info < (3, 12) and name == "making_of_an_exception" and doing is actions.recurse


def case(happening, doing):
    actions.depth = 0

    def run_worker():
        R["child"] = greenlet(parrot)
        R["child"].switch()
        happening()

    R.clear()
    R.update(
        action=doing,
        survives=False,
        other=greenlet(parrot),
        child=None,
        unstarted=greenlet(parrot),
        worker=greenlet(run_worker),
    )
    R["other"].switch()
    try:
        for _ in range(3):
            R["worker"].switch()
            R["other"].switch()
    except BaseException:
        pass
    sys.settrace(None)
    sys.setprofile(None)
    settrace(None)
    R.clear()
    for _ in range(2):
        with contextlib.suppress(BaseException):
            gc.collect()
    assert getcurrent() is main
    g = greenlet(parrot)
    assert [g.switch(i) for i in range(3)] == [0, 1, 2]
    g.throw()
    assert g.dead


class Quiet:
    def write(self, text):
        pass

    def flush(self):
        pass


def run_all():
    faulthandler.enable(sys.__stderr__)
    faulthandler.dump_traceback_later(120, exit=True, file=sys.__stderr__)
    sys.unraisablehook = lambda _: None
    sys.stderr = Quiet()  # survivors are reported there
    number = 0
    for name in sys.argv[1:] or PLACES:
        for doing in ACTIONS.values():
            if is_fatal_to_cpython(name, doing):
                continue
            case(PLACES[name], doing)
            number += 1
    sys.stderr = sys.__stderr__
    print(f"hostile: {number} cases")
    sys.stdout.flush()


if __name__ == "__main__":
    run_all()
