"""A guest book: a web application of asyncio, whose pages are ordinary functions that use the blocking driver."""

import asyncio
import html
import urllib.parse

from greenlet.aio import run

# --- pages: ordinary functions ---------------------------------------------------------------------------------------


def index(database, form):
    visits = database.increment("visits")
    entries = "".join(f"<li>{html.escape(entry)}</li>" for entry in database.items("entries"))
    return f"<h1>Guest book</h1><p>Visit {visits}</p><ul>{entries}</ul>"


def sign(database, form):
    number = database.append("entries", f"{form['name']}: {form['text']}")
    return f"<p>Thank you. Yours is entry {number}.</p>"


def statistics(database, form):
    names = sorted({entry.split(":")[0] for entry in database.items("entries")}, key=str.lower)
    return f"<p>{database.get('visits') or 0} visits; signed by {html.escape(', '.join(names) or 'nobody')}</p>"


PAGES = {("GET", "/"): index, ("POST", "/"): sign, ("GET", "/statistics"): statistics}

# --- the server: asyncio ---------------------------------------------------------------------------------------------


class Application:
    """Serves the pages.

    Parameters:
        database: the argument for the functions of the pages.
        timeout: seconds that a page may take.
    """

    def __init__(self, database, timeout=10.0):
        self._database = database
        self._timeout = timeout

    async def serve(self, host="127.0.0.1", port=0):
        """Start listening. Returns the asyncio.Server."""
        return await asyncio.start_server(self._handle, host, port, backlog=200)

    async def _handle(self, reader, writer):
        try:
            status, page = await self._respond(reader)
            body = page.encode()
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                + body
            )
            await writer.drain()
        finally:
            writer.close()

    async def _respond(self, reader):
        method, path, form = await read_request(reader)
        page = PAGES.get((method, path))
        if page is None:
            return "404 Not Found", "<p>There is no such page.</p>"
        try:
            async with asyncio.timeout(self._timeout):
                return "200 OK", await run(page, self._database, form)  # the only line that uses greenlets
        except TimeoutError:
            return "504 Gateway Timeout", "<p>The database takes too long.</p>"


async def read_request(reader):
    """Read a request. Returns its method, path and form."""
    method, path, _ = (await reader.readline()).decode().split()
    length = 0
    while (line := await reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode().partition(":")
        if name.lower() == "content-length":
            length = int(value)
    form = urllib.parse.parse_qsl((await reader.readexactly(length)).decode())
    return method, path, dict(form)
