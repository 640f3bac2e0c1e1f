"""Random programs on uvloop: those of asyncio. See awaiting.py."""

import sys

import on_asyncio
import uvloop


class Program(on_asyncio.Program):
    new_event_loop = staticmethod(uvloop.new_event_loop)

    def __init__(self, seed):
        super().__init__(seed)
        self.sockets = []

    def make_connection(self, end):
        """Without what crashes uvloop: a loop that is closed; a socket that is closed after KeyboardInterrupt or SystemExit, which
        GreenletExit is, ended this coroutine; and on CPython 3.11 a coroutine of Cython's that lets go, at its end, of an exception
        handled where it began, with a destructor that handles one too.
        """
        if self.loop.is_closed() or sys.version_info < (3, 12):
            raise RuntimeError("uvloop may crash")
        self.sockets.append(end)
        return super().make_connection(end)
