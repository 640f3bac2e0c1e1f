"""locust without its web pages: users, which are greenlets, load a gevent server in a process of its own."""

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from redis_server import free_port
from session import check, figure, serving

USERS = 40
TURNS = 15  # of each, as in locust_users.py


def serve() -> None:
    import gevent
    from gevent.pywsgi import WSGIServer

    counts = {}

    def application(environment, start):
        path = environment["PATH_INFO"]
        kind = path.split("/")[1]
        body = json.dumps(counts) if kind == "counts" else "none"
        counts[kind] = counts.get(kind, 0) + 1
        if kind == "page":
            gevent.sleep(0.002)
            body = f"page {path.split('/')[2]}"
        elif kind == "echo":
            body = environment["wsgi.input"].read().decode()
        start("404 Not Found" if body == "none" else "200 OK", [("Content-Type", "text/plain")])
        return [body.encode()]

    server = WSGIServer(("127.0.0.1", 0), application, log=None)
    server.start()
    print(server.server_port, flush=True)
    server.serve_forever()


def locust(url: str, name: str) -> tuple[int, dict]:
    """Run the users until they have left. Returns the exit status, and the statistics by name."""
    status = subprocess.run(
        [
            Path(sys.executable).parent / "locust",
            "--locustfile",
            Path(__file__).with_name("locust_users.py"),
            "--headless",
            "--host",
            url,
            "--users",
            str(USERS),
            "--spawn-rate",
            str(USERS),
            "--only-summary",
            "--json-file",
            name,
        ],
        stdin=subprocess.DEVNULL,
        timeout=60,
    ).returncode
    return status, {entry["name"]: entry for entry in json.loads(Path(f"{name}.json").read_text())}


def main() -> None:
    with serving(__file__, "serve") as (_, port):
        url = f"http://127.0.0.1:{port}"
        begin = time.monotonic()
        status, statistics = locust(url, "statistics")
        figure("seconds", round(time.monotonic() - begin, 1))
        sent = {name: entry["num_requests"] for name, entry in statistics.items()}
        with check("no request fails"):
            assert status == 0 and all(entry["num_failures"] == 0 for entry in statistics.values()), statistics
        with check("every user takes all its turns"):
            assert sent["page"] + sent["echo"] + sent["nothing"] + sent["in greenlets"] // 2 == USERS * TURNS, sent
        with check("the server has had as many requests"):
            had = json.loads(urllib.request.urlopen(f"{url}/counts", timeout=20).read())
            assert had == {
                "page": sent["page"] + sent["in greenlets"],
                "echo": sent["echo"],
                "nothing": sent["nothing"],
            }, had
        with check("failures are counted, and are the exit status"):
            # A port without a listener.
            status, statistics = locust(f"http://127.0.0.1:{free_port()}", "failures")
            assert status == 1 and statistics["page"]["num_failures"] == statistics["page"]["num_requests"] > 0, (
                statistics
            )


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        main()
