"""Serves web_application.py with gunicorn or uWSGI on gevent under load, and reloads it gracefully during the load.

usage: web.py gunicorn | uwsgi
"""

import contextlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
from session import check, figure, resident

HERE = Path(__file__).resolve().parent
SECONDS = 30
RELOADS = 3
SERVERS = {
    "gunicorn": [
        "gunicorn",
        "--worker-class",
        "gevent",
        "--workers",
        "2",
        "--chdir",
        HERE,
        "--bind",
        "{address}",
        "web_application:application",
    ],
    # uWSGI serves one request on each connection, but does not send the header that says so.
    "uwsgi": [
        "uwsgi",
        "--master",
        "--processes",
        "2",
        "--gevent",
        "200",
        "--gevent-monkey-patch",
        "--chdir",
        HERE,
        "--http-socket",
        "{address}",
        "--add-header",
        "Connection: close",
        "--disable-logging",
        "--module",
        "web_application:application",
    ],
}


def free_address() -> str:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % s.getsockname()[1]


def wait_until_it_answers(url: str) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            assert answer.read() == b"40 frames"
            return
        time.sleep(0.1)
    raise TimeoutError(f"{url} does not answer")


def counted(pattern: str, text: str) -> int:
    return sum(map(int, re.findall(pattern, text)))


def load(url: str, server: psutil.Process) -> str:
    """Return the output of wrk for SECONDS of load with RELOADS reloads."""
    wrk = subprocess.Popen(
        [
            "wrk",
            "--threads",
            "1",
            "--connections",
            "50",
            "--duration",
            f"{SECONDS}s",
            "--timeout",
            "20s",
            "--script",
            HERE / "check_bodies.lua",
            url,
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    before = {child.pid for child in server.children()}
    for _ in range(RELOADS):
        time.sleep(SECONDS / (RELOADS + 1))
        server.send_signal(signal.SIGHUP)
    text = wrk.communicate(timeout=SECONDS + 60)[0]
    print(text, flush=True)
    with check("the reloads replace the workers"):
        after = {child.pid for child in server.children()}
        assert after and not before & after
    return text


def main() -> None:
    name, address = sys.argv[1], free_address()
    command = [str(part).format(address=address) for part in SERVERS[name]]
    process = psutil.Popen([Path(sys.executable).parent / command[0], *command[1:]], stdin=subprocess.DEVNULL)
    try:
        url = f"http://{address}/"
        wait_until_it_answers(url)
        text = load(url, process)
        with check("no request fails"):
            assert counted(r"(\d+) requests in", text) > 1000
            assert counted(r"Non-2xx or 3xx responses: (\d+)", text) == 0
            errors = re.search(r"Socket errors: (.*)", text)
            assert errors is None, errors[0]
        with check("every body is right"):
            assert "Wrong bodies: 0" in text
        figure("requests/s", re.search(r"Requests/sec: +([\d.]+)", text)[1])
        figure("resident memory, all processes, MiB", round(resident(process), 1))
    finally:
        process.send_signal(signal.SIGQUIT if name == "uwsgi" else signal.SIGTERM)
        with check("the server ends when it is told to"):
            process.wait(timeout=40)


if __name__ == "__main__":
    main()
