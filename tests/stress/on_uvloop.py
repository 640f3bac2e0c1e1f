"""Random programs on uvloop: those of asyncio. See awaiting.py."""

import on_asyncio
import uvloop


class Program(on_asyncio.Program):
    new_event_loop = staticmethod(uvloop.new_event_loop)
