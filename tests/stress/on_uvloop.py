"""Random programs on uvloop: those of asyncio. See awaiting.py."""

import sys

import on_asyncio
import uvloop


class Program(on_asyncio.Program):
    new_event_loop = staticmethod(uvloop.new_event_loop)

    def make_connection(self, end):
        """Without what crashes uvloop: a loop that is closed, and on CPython 3.11 a coroutine of Cython's that lets go, at its end,
        of an exception handled where it began, with a destructor that handles one too.
        """
        if self.loop.is_closed() or sys.version_info < (3, 12):
            raise RuntimeError("uvloop may crash")
        return super().make_connection(end)
