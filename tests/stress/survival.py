"""The common part of random programs that only have to survive: fuel, objects with destructors, and the main function.

These programs are compared with nothing. They must not crash, hang, or raise SystemError, by which CPython reports C
code that breaks its rules. Other errors are expected.
"""

import contextlib
import faulthandler
import gc
import operator
import os
import random
import sys
import time
import weakref

import hooks

DEEPEST = 4  # nested destructors
SECONDS = 60  # time limit of a program
# CPython 3.12 and 3.13 register an eager task whose first step has failed while that exception is set.
OF_CPYTHON = (
    ["<class 'weakref.ReferenceType'> returned a result with an exception set"]
    if (3, 12) <= sys.version_info < (3, 14)
    else []
)
OWN_FILES = {__file__, hooks.__file__}  # hooks do nothing in functions of these files
SURVIVED = "GREENLET_STRESS_SURVIVED"  # environment variable: the number of programs that survived in earlier processes
wrong = []  # SystemErrors


def note(error):
    if str(error) not in OF_CPYTHON:
        wrong.append(error)


class Program:
    operations: list = []  # functions of the program

    def __init__(self, seed, most_fuel):
        self.random = random.Random(seed)
        self.fuel = self.random.randrange(20, most_fuel)
        self.depth = 0

    def chance(self, probability):
        return self.random.random() < probability

    def operations_here(self):
        return self.operations

    def operate(self):
        """Do a random operation, unless the fuel is used up."""
        self.fuel -= 1
        if self.fuel > 0:
            try:
                self.random.choice(self.operations_here())(self)
            except SystemError as error:
                note(error)
                raise

    def run(self):
        while self.fuel > 0:
            with contextlib.suppress(BaseException):
                self.operate()

    def stop(self):
        self.fuel = 0
        hooks.unhook()

    def call_back(self, *arguments):
        if self.chance(0.3):
            self.operate()

    def see(self, *arguments):
        """The trace and profile function, also called for each line.

        It does nothing in the files that execute the programs.
        """
        frame = sys._getframe(1)
        if frame.f_code.co_filename not in OWN_FILES and self.chance(0.01) and not hooks.is_resumable(*arguments):
            try:
                self.operate()
            except BaseException as error:
                if hooks.may_raise(error, frame):
                    raise
        return self.see

    def one_of(self, objects, make):
        present = [*objects]  # a trace function may change them meanwhile
        return self.random.choice(present) if present else make()

    def keep(self, object, objects, most):
        """Append an object to a list, and release one if there are many."""
        objects.append(object)
        if len(objects) > most:
            objects.pop(self.random.randrange(len(objects)))
        return object

    def end(self):
        """Release everything. Subclasses override this."""


class Witness:
    """Does a random operation when it is destroyed."""

    def __init__(self, program):
        self.program = program

    def __del__(self):
        program = self.program
        if program.depth < DEEPEST:
            program.depth += 1
            try:
                program.operate()
            except BaseException:
                pass
            finally:
                program.depth -= 1


class Garbage(Witness):
    def __init__(self, program):
        super().__init__(program)
        self.itself = self


def limit_time():
    faulthandler.dump_traceback_later(SECONDS, exit=True)


def execute(make_program, seed):
    os.write(2, b"%d\n" % seed)
    program = make_program(seed)
    for step in limit_time, program.run, program.stop, program.end, gc.collect:
        with contextlib.suppress(BaseException):
            step()


def note_unraisable(unraisable):
    if isinstance(unraisable.exc_value, SystemError):
        note(unraisable.exc_value)


class Cycle:
    def __init__(self):
        self.itself = self


def collects_garbage():
    """Return False if a destructor switched away during a collection and was never resumed: no collection runs then."""
    reference = weakref.ref(Cycle())
    gc.collect()
    return reference() is None


def go_on_in_a_new_process(seed, left, seconds, survived):
    os.environ[SURVIVED] = str(survived)
    arguments = len(sys.argv) - 1
    command = sys.orig_argv[: len(sys.orig_argv) - arguments]
    os.execv(sys.executable, [*command, str(seed), str(left), str(seconds), *sys.argv[4:]])


def main(make_program):
    """Execute the programs of the command line: SEED COUNT [SECONDS]. Each seed is printed to standard error first."""
    faulthandler.enable()
    sys.unraisablehook = note_unraisable
    first, count = map(int, sys.argv[1:3])
    end = time.monotonic() + (float(sys.argv[3]) if len(sys.argv) > 3 else float("inf"))
    survived = int(os.environ.get(SURVIVED, 0))
    seeds = iter(range(first, first + count))
    while (left := operator.length_hint(seeds)) and time.monotonic() < end and not wrong:
        try:
            execute(make_program, next(seeds))
            left = operator.length_hint(seeds)
            if left and not wrong and not (collects_garbage() and hooks.calls_them()):
                go_on_in_a_new_process(first + count - left, left, end - time.monotonic(), survived + count - left)
        except BaseException:  # exceptions may be sent to the main tasklet at any time
            pass
    if wrong:
        print(*map(repr, wrong), sep="\n")
        return 1
    print(f"{survived + count - left} programs survived")
    return 0
