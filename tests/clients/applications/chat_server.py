"""The server of chat.py. It prints its port."""

import gevent.monkey

gevent.monkey.patch_all()

import signal

import flask
import gevent
from flask_socketio import ConnectionRefusedError, SocketIO, disconnect, emit, join_room, rooms
from gevent import pywsgi
from geventwebsocket.handler import WebSocketHandler

application = flask.Flask(__name__)
application.secret_key = "for the session"
server = SocketIO(application, async_mode="gevent", manage_session=True)
assert server.async_mode == "gevent"


def descend(levels):
    if levels:
        return descend(levels - 1) + 1
    server.sleep(0.001)
    return 0


@server.on("connect")
def connected(auth):
    if auth != {"password": "secret"}:
        raise ConnectionRefusedError("wrong password")
    flask.session["count"] = 0


@server.on("deep")
def deep(levels):
    flask.session["count"] += 1
    return descend(levels), flask.session["count"]


@server.on("join")
def join(room):
    join_room(room)
    return sorted(set(rooms()) - {flask.request.sid})


@server.on("say")
def say(room, text):
    emit("said", text, to=room)
    return True


@server.on("work")
def work(steps):
    sid = flask.request.sid

    def run():
        for step in range(steps):
            server.sleep(0.005)
            server.emit("progress", step, to=sid)

    server.start_background_task(run)


@server.on("ask_me")
def ask_me():
    # The handler waits for the client's answer.
    return server.call("question", 20, to=flask.request.sid, timeout=20) + 1


@server.on("fail")
def fail():
    raise ValueError("in a handler")


@server.on_error_default
def failed(error):
    return f"{type(error).__name__}: {error}"


@server.on("go")
def go():
    disconnect()


@application.get("/announce/<text>")
def announce(text):
    server.emit("announced", text)
    return "announced"


if __name__ == "__main__":
    wsgi = pywsgi.WSGIServer(("127.0.0.1", 0), application, handler_class=WebSocketHandler, log=None)
    wsgi.start()
    gevent.signal_handler(signal.SIGTERM, wsgi.stop, 1)
    print(wsgi.server_port, flush=True)
    wsgi.serve_forever()
