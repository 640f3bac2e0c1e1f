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
        GreenletExit is, ended this coroutine; and on CPython 3.11 a coroutine of Cython's that releases, at its end, an exception
        handled where it began, with a destructor that handles one too.
        """
        self.sockets.append(end)
        connection = super().make_connection(end)
        if self.loop.is_closed() or sys.version_info < (3, 12):  # by now: a collection may have begun meanwhile
            connection.close()
            raise RuntimeError("uvloop may crash")
        return connection

    def see(self, *arguments):
        """A hook does nothing: it could put off the beginning of a connection until the loop is closed."""
        return self.see

    def run_loop_within(self):
        """Not here: libuv ends the process if a socket that it is about to watch is closed, which happened within these."""
