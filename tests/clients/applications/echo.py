"""A gevent echo server with 10,000 open connections, which send, check what comes back, close and open again.

usage: echo.py SECONDS

The server is a process of its own, whose memory is measured. Clients connect to several loopback addresses, because one
has too few ports for so many open and recently closed connections.
"""

import itertools
import random
import subprocess
import sys
import time

import gevent
import psutil
from gevent import socket
from gevent.event import Event
from gevent.server import StreamServer
from session import check, check_flat, figure, resident

CONNECTIONS = 10_000
MESSAGES = 200  # average lifetime of a connection; random, so that they do not all close together
DATA = random.Random(1).randbytes(1 << 16)
SIZES = range(1, 2049)


def serve() -> None:
    def echo(connection, _):
        while data := connection.recv(4096):
            connection.sendall(data)

    server = StreamServer(("0.0.0.0", 0), echo, backlog=4096)
    server.start()
    print(server.server_port, flush=True)
    server.serve_forever()


class Clients:
    def __init__(self, port: int) -> None:
        self.port = port
        self.addresses = itertools.cycle(f"127.0.0.{number}" for number in range(1, 33))
        self.open = self.opened = self.messages = 0
        self.errors: list[str] = []
        self.all_open = Event()
        self.stopping = False

    def connect(self):
        connection = socket.create_connection((next(self.addresses), self.port), timeout=60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def exchange(self, connection) -> None:
        start, size = random.randrange(1 << 15), random.choice(SIZES)
        sent = DATA[start : start + size]
        connection.sendall(sent)
        received = b""
        while len(received) < size:
            part = connection.recv(size - len(received))
            assert part, "the server closed the connection"
            received += part
        assert received == sent, "what came back is not what was sent"
        self.messages += 1

    def one_connection(self) -> None:
        connection = self.connect()
        self.open += 1
        self.opened += 1
        try:
            self.all_open.wait()
            while not self.stopping and random.random() > 1 / MESSAGES:
                self.exchange(connection)
        finally:
            self.open -= 1
            connection.close()

    def run(self) -> None:
        while not self.stopping:
            try:
                self.one_connection()
            except Exception as error:
                self.errors.append(repr(error))


def main(seconds: float) -> None:
    server = psutil.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True)
    try:
        clients = Clients(int(server.stdout.readline()))
        greenlets = []
        with check("10,000 connections are open at once"), gevent.Timeout(120):
            while len(greenlets) < CONNECTIONS:
                greenlets += [gevent.spawn(clients.run) for _ in range(500)]
                while clients.open < len(greenlets):
                    gevent.sleep(0.01)
        clients.all_open.set()
        before, opened, begin = clients.messages, clients.opened, time.monotonic()
        samples, fewest = [], CONNECTIONS
        while time.monotonic() - begin < seconds:
            gevent.sleep(5)
            samples.append(resident(server))
            fewest = min(fewest, clients.open)
        elapsed = time.monotonic() - begin
        figure("requests/s", round((clients.messages - before) / elapsed))
        figure("connections opened/s", round((clients.opened - opened) / elapsed))
        figure("fewest connections open", fewest)
        figure("resident memory of the server, MiB", round(samples[-1], 1))
        with check("nine of ten are open all the time"):
            assert fewest > CONNECTIONS * 0.9
        with check("the clients end"):
            clients.stopping = True
            assert len(gevent.joinall(greenlets, timeout=120)) == CONNECTIONS
        with check("every byte comes back"):
            assert clients.messages > 0
            assert not clients.errors, f"{len(clients.errors)}: {sorted(set(clients.errors))[:5]}"
        check_flat("the memory of the server stays flat", samples)
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        main(float(sys.argv[1]))
