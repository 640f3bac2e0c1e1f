"""Random programs on uvloop: the same as on asyncio. See awaiting.py."""

import os
import sys

import on_asyncio
import uvloop


def inode(end):
    """Return what identifies an open socket, or None if its descriptor is closed."""
    try:
        return os.fstat(end.fileno()).st_ino
    except OSError:
        return None


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
        self.sockets.append((end, inode(end)))
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

    def end(self):
        """Release everything.

        uvloop closes the descriptor of a connection that was never made and leaves it to the socket, whose destructor
        would close it again: by then it may be the descriptor of the next program.
        """
        super().end()
        for end, opened_as in self.sockets:
            if inode(end) == opened_as:
                end.close()
            else:
                end.detach()
        self.sockets.clear()
