"""gevent's web server under load: requests to a handler that waits 40 Python frames deep.

`wrk` sends the requests to the servers of both sides in alternation. serve() runs a server, and prints its port.
"""

import re
import shutil
import subprocess
from pathlib import Path

from suite import Unavailable
from suite.compare import Figure

DEPTH = 40
CONNECTIONS = 16


def serve() -> None:
    import gevent
    from gevent.pywsgi import WSGIServer

    from suite.switching import descend

    def application(environ, start_response):
        descend(DEPTH, lambda: gevent.sleep(0))
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
        return [b"ok\n"]

    server = WSGIServer(("127.0.0.1", 0), application, log=None)
    server.start()
    print(server.server_port, flush=True)
    server.serve_forever()


def nanoseconds_a_request(port: int, seconds: int) -> float:
    output = subprocess.run(
        [
            "wrk",
            "--threads",
            "1",
            "--connections",
            str(CONNECTIONS),
            "--duration",
            f"{seconds}s",
            f"http://127.0.0.1:{port}/",
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    if "Non-2xx" in output:
        raise RuntimeError(output)
    return 1e9 / float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1])


def measure(pythons: dict[str, Path], samples: int, seconds: int) -> dict[str, Figure]:
    """Raises Unavailable if wrk or gevent is not installed."""
    if shutil.which("wrk") is None:
        raise Unavailable("wrk is not installed")
    servers = {}
    figures: dict[str, list[float]] = {side: [] for side in pythons}
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent.parent)!r}); from suite.web import serve; serve()"
    )
    try:
        ports = {}
        for side, python in pythons.items():
            servers[side] = subprocess.Popen(
                [python, "-c", program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
            )
            line = servers[side].stdout.readline()
            if not line:
                raise Unavailable("gevent's server does not start")
            ports[side] = int(line)
        for port in ports.values():
            nanoseconds_a_request(port, 1)
        for _ in range(samples):
            for side, port in ports.items():
                figures[side].append(nanoseconds_a_request(port, seconds))
    finally:
        for server in servers.values():
            server.kill()
            server.communicate()
    return {side: Figure.of(values) for side, values in figures.items()}
