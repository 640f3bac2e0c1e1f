"""A blocking database driver serves an asyncio web application.

usage: python examples/blocking_database/main.py [--serve]

The driver (driver.py) was written for threads: it calls sendall() and recv(), which block. With the sockets of
sockets.py it waits in greenlet.aio.await_, so one thread serves all requests at the same time. Without --serve, many
visitors request pages at once; each page makes several database calls of 20 ms each.
"""

import asyncio
import sys
import time

import sockets
from driver import Database
from server import Server
from web import Application

VISITORS = 30
LATENCY = 0.02


async def request(port, method="GET", path="/", form=""):
    """Send a request. Returns status and body of the response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(form)}\r\n\r\n{form}".encode())
    response = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    head, _, body = response.partition("\r\n\r\n")
    return int(head.split()[1]), body


async def visit(port, name):
    """Sign the guest book, then read it."""
    pages = await request(port, "POST", "/", f"name={name}&text=was+here"), await request(port)
    assert all(status == 200 for status, _ in pages), pages


async def demonstrate(database, server):
    application = await Application(database).serve()
    port = application.sockets[0].getsockname()[1]
    begin = time.perf_counter()
    await asyncio.gather(*(visit(port, f"visitor{i}") for i in range(VISITORS)))
    took = time.perf_counter() - begin
    print(
        f"{VISITORS} visitors at once: {took:.2f} s, in which the database worked {server.calls * LATENCY:.2f} s for them"
    )

    _, statistics = await request(port, path="/statistics")
    print(statistics[:44] + "...")

    impatient = await Application(database, timeout=LATENCY / 2).serve()
    status, body = await request(impatient.sockets[0].getsockname()[1])
    print(f"a page that takes too long: {status} {body}")
    print(f"and then: {(await request(port, path='/nowhere'))[0]}, {(await request(port, path='/statistics'))[0]}")
    for listener in (application, impatient):
        listener.close()
        await listener.wait_closed()


async def serve(database, server):
    listener = await Application(database).serve(port=8000)
    print("http://127.0.0.1:8000/, until Ctrl-C")
    await listener.serve_forever()


def main():
    with Server(LATENCY) as server:
        database = Database(server.server_address, connect=sockets.connect)
        try:
            asyncio.run((serve if "--serve" in sys.argv else demonstrate)(database, server))
        except KeyboardInterrupt:
            pass
        finally:
            database.close()


if __name__ == "__main__":
    main()
