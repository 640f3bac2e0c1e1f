"""Programs on gevent whose last garbage is a cycle with a destructor that waits, while the interpreter ends.

The wait raises an error at once, and the process ends with status 0.
"""

import subprocess
import sys
import textwrap

from session import check

SECONDS = 10
PROGRAM = """
import gevent.monkey
gevent.monkey.patch_all()
import gc, socket, sys, threading
import gevent, gevent.event

{before}

class Cycle:
    def __init__(self):
        self.me = self

    def __del__(self, names=dict(globals()), exec=exec, print=print, type=type, Exception=Exception, sys=sys):
        if not sys.is_finalizing():
            print("too early", flush=True)
        try:
            exec({statement!r}, names)
        except Exception as error:
            print(type(error).__name__, flush=True)
        else:
            print("done", flush=True)

gc.disable()
Cycle()
"""
LOOKS_UP = 'socket.getaddrinfo("localhost", 80)'
# The code that runs before, and the statement of the destructor.
PROGRAMS = {
    "looks up a name": (LOOKS_UP, LOOKS_UP),
    "looks up a name while greenlets are suspended": (
        LOOKS_UP + "; [gevent.spawn(gevent.sleep, 100) for _ in range(10)]; gevent.sleep(0)",
        LOOKS_UP,
    ),
    "connects by name": (LOOKS_UP, 'socket.create_connection(("localhost", 1), timeout=1)'),
    "calls in the thread pool": (
        "pool = gevent.get_hub().threadpool; pool.apply(len, ['a'])",
        "pool.apply(len, ['a'])",
    ),
    "sleeps": ("", "gevent.sleep(0.01)"),
    "waits for an event": ("event = gevent.event.Event()", "event.wait(0.01)"),
    "waits for a lock": ("lock = threading.Lock(); lock.acquire()", "lock.acquire(timeout=0.01)"),
    "spawns and joins": ("", "gevent.spawn(len, 'abc').join()"),
    "kills a greenlet": ("g = gevent.spawn(gevent.sleep, 100); gevent.sleep(0)", "g.kill(timeout=1)"),
}


def main() -> None:
    for name, (before, statement) in PROGRAMS.items():
        with check(f"a destructor at the end {name}"):
            program = textwrap.dedent(PROGRAM).format(before=before, statement=statement)
            result = subprocess.run(
                [sys.executable, "-c", program],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=SECONDS,
            )
            assert (result.returncode, result.stdout.split()) == (0, ["RuntimeError"]), (
                f"status {result.returncode}, {result.stdout}"
            )


if __name__ == "__main__":
    main()
