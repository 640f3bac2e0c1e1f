"""A Redis server for one session, on the loopback interface. Its data is deleted with it."""

import contextlib
import socket
import subprocess
import tempfile
import time


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(100) == b"+PONG\r\n"
    except ConnectionError:
        return False


@contextlib.contextmanager
def redis_server():
    """Run the server while the `with` block runs. Returns its port."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        process = subprocess.Popen(
            ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", folder, "--save", ""],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            for _ in range(100):
                if answers(port):
                    break
                time.sleep(0.1)
            else:
                raise TimeoutError("the Redis server does not answer")
            yield port
        finally:
            process.terminate()
            process.wait()
