"""Flask-SocketIO on gevent (chat_server.py), and python-socketio's clients in threads of this process, on both transports."""

import threading
import time
import urllib.request
from pathlib import Path

import socketio
from engineio.payload import Payload
from session import check, figure, resident, serving, tell_to_end, wait_until

SERVER = Path(__file__).with_name("chat_server.py")
CLIENTS = 16
WORDS = 20

# A poll may return more packets than the 16 above which a client assumes an attack.
Payload.max_decode_packets = 1000


class Client:
    def __init__(self, url: str, number: int) -> None:
        self.number = number
        self.received: dict[str, list] = {"said": [], "progress": [], "announced": []}
        self.gone = threading.Event()
        self.socket = socketio.Client(reconnection=False)
        for event, values in self.received.items():
            self.socket.on(event, values.append)
        self.socket.on("question", lambda value: value * 2)
        self.socket.on("disconnect", lambda reason: self.gone.set())
        self.socket.connect(
            url, auth={"password": "secret"}, transports=["websocket" if number % 2 else "polling"], wait_timeout=20
        )

    def call(self, event: str, *values):
        return self.socket.call(event, values, timeout=30)


def in_threads(clients: list[Client], function) -> list:
    """Call *function* for each client in threads that run at the same time. Returns the results."""
    results = [None] * len(clients)

    def run(index):
        results[index] = function(clients[index])

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def use(url: str, clients: list[Client]) -> None:
    with check("transports are those asked for"):
        assert {client.socket.transport() for client in clients} == {"websocket", "polling"}
        assert all(client.socket.transport() == ("websocket" if client.number % 2 else "polling") for client in clients)
    with check("a client with the wrong password is refused"):
        refused, errors = socketio.Client(reconnection=False), []
        refused.on("connect_error", errors.append)
        try:
            refused.connect(url, auth={"password": "guessed"}, wait_timeout=20)
        except socketio.exceptions.ConnectionError:
            assert errors == [{"message": "wrong password"}], errors
        else:
            raise AssertionError("it is connected")
    with check("handlers that switch 40 frames deep answer, and keep a session for each client"):
        begin = time.monotonic()
        answers = in_threads(clients, lambda client: [client.call("deep", 40) for _ in range(10)])
        assert answers == [[(40, count) for count in range(1, 11)]] * CLIENTS, answers[0]
        figure("calls/s", round(10 * CLIENTS / (time.monotonic() - begin)))
    with check("words reach everybody in the room, in order, and nobody else"):
        assert in_threads(clients, lambda client: client.call("join", f"room {client.number % 4}")) == [
            [f"room {client.number % 4}"] for client in clients
        ]
        in_threads(
            clients[:4],
            lambda client: [client.call("say", f"room {client.number}", f"{client.number} {n}") for n in range(WORDS)],
        )
        wait_until(lambda: all(len(client.received["said"]) >= WORDS for client in clients), 20, "every word has come")
        for client in clients:
            assert client.received["said"] == [f"{client.number % 4} {n}" for n in range(WORDS)], client.received[
                "said"
            ]
    with check("background tasks report in order"):
        for client in clients:
            client.socket.emit("work", 25)
        wait_until(
            lambda: all(len(client.received["progress"]) >= 25 for client in clients), 20, "every report has come"
        )
        assert all(client.received["progress"] == list(range(25)) for client in clients)
    with check("a handler asks the client"):
        assert in_threads(clients, lambda client: client.call("ask_me")) == [41] * CLIENTS
    with check("the error of a handler comes back"):
        assert clients[0].call("fail") == "ValueError: in a handler"
    with check("a view of HTTP tells everybody"):
        for text in ("one", "two"):
            assert urllib.request.urlopen(f"{url}/announce/{text}", timeout=20).read() == b"announced"
        wait_until(
            lambda: all(client.received["announced"] == ["one", "two"] for client in clients), 20, "everybody knows"
        )
    with check("clients are disconnected by the server and leave by themselves"):
        for client in clients[:4]:
            client.socket.emit("go")
        assert all(client.gone.wait(20) for client in clients[:4])
        for client in clients[4:8]:
            client.socket.disconnect()
        assert [client.call("deep", 1)[0] for client in clients[8:]] == [1] * (CLIENTS - 8)


def main() -> None:
    with serving(SERVER) as (process, port):
        url = f"http://127.0.0.1:{port}"
        use(url, [Client(url, number) for number in range(CLIENTS)])
        figure("resident memory of the server, MiB", round(resident(process), 1))
        with check("the server ends when it is told to, with clients connected"):
            tell_to_end(process, 20)


if __name__ == "__main__":
    main()
