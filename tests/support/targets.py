"""Processes with greenlets, to be looked at from outside."""

import contextlib
import os
import subprocess
import sys
import textwrap

PARKED = """
    import sys
    from greenlet import getcurrent, greenlet

    def park():
        getcurrent().parent.switch()

    def worker(depth):
        if depth:
            return worker(depth - 1)
        park()

    parked = [greenlet(worker) for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 3)]
    for g in parked:
        g.switch(2)
"""
# The frames of a parked greenlet, the innermost first: functions and lines of the source above.
PARKED_STACK = [("park", 6), ("worker", 11), ("worker", 10), ("worker", 10)]


BLOCKED = {
    "sleep": "time.sleep(1000)",
    "with the GIL held": "ctypes.PyDLL(None).usleep(100_000_000)",
}


def blocked(name):
    """Return a program with a greenlet that blocks in C code: a key of BLOCKED. Another one and the main one wait."""
    return f"""
        import ctypes, sys, time
        from greenlet import getcurrent, greenlet
        def park():
            getcurrent().parent.switch()
        def block():
            print("ready", flush=True)
            {BLOCKED[name]}
        parked = greenlet(park)
        parked.switch()
        greenlet(block).switch()
    """


@contextlib.contextmanager
def running(source, *arguments, options=(), **environment):
    """Run a program, which goes on after it has printed a line. Yields the process; the line is its `line`."""
    command = [sys.executable, *options, "-c", textwrap.dedent(source), *map(str, arguments)]
    with subprocess.Popen(
        command, env={**os.environ, **environment}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            process.line = process.stdout.readline().strip()
            assert process.line, "the program has ended"
            yield process
        finally:
            process.kill()


def waiting(source, *arguments, **options):
    """Run a program that then waits for its standard input to close."""
    ending = "\nprint('ready', flush=True)\nsys.stdin.read()\n"
    return running("import sys\n" + textwrap.dedent(source) + ending, *arguments, **options)


def greenlets_of(process):
    """Return the greenlets of a process, read from outside: greenlet._outside.Greenlet."""
    from greenlet import _outside

    return [greenlet for thread in _outside.threads_of_process(process.pid) for greenlet in thread.greenlets]


def calls(greenlet):
    """Return the functions and lines of a greenlet's frames, the innermost first."""
    return [(function, line) for _, function, line in greenlet.frames]


def show(*arguments, **options):
    """Run ``python -m greenlet`` with arguments. Returns the completed process."""
    return subprocess.run(
        [sys.executable, "-m", "greenlet", *map(str, arguments)], capture_output=True, text=True, timeout=120, **options
    )
