"""Random programs on uvloop: the same as on asyncio. See awaiting.py."""

import sys

import on_asyncio
import uvloop


class Program(on_asyncio.Program):
    new_event_loop = staticmethod(uvloop.new_event_loop)

    def __init__(self, seed):
        super().__init__(seed)
        self.sockets = []

    def make_connection(self, end):
        """Create a connection, except in cases that crash uvloop.

        These are a closed loop; a socket that is closed after KeyboardInterrupt or SystemExit (or a GreenletExit that
        is one) ended this coroutine; and on CPython 3.11 a coroutine of Cython that releases, at its end, an exception
        that was handled where it started, if a destructor then handles another one.
        """
        self.sockets.append(end)
        connection = super().make_connection(end)
        if self.loop.is_closed() or sys.version_info < (3, 12):  # a collection may have closed it meanwhile
            connection.close()
            raise RuntimeError("uvloop may crash")
        return connection

    def see(self, *arguments):
        """A hook that does nothing, because it could delay the start of a connection until the loop is closed."""
        return self.see

    def run_loop_within(self):
        """Does nothing: in nested loops, libuv ended the process because a socket it was about to watch was closed."""
