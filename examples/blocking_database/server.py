"""A toy database server that speaks enough of the Redis protocol for the example, with a thread for each client."""

import socketserver
import threading
import time


class Handler(socketserver.StreamRequestHandler):
    """One client's connection."""

    def handle(self):
        while words := self._read_command():
            time.sleep(self.server.latency)
            name, *arguments = words
            method = getattr(self, "do_" + name.decode().lower(), None)
            with self.server.lock:
                self.server.calls += 1
                reply = b"-ERR unknown command\r\n" if method is None else method(self.server.values, *arguments)
            self.wfile.write(reply)

    def _read_command(self):
        """Return the words of the next command; an empty list if the client has disconnected."""
        header = self.rfile.readline()
        return [self._read_word() for _ in range(int(header[1:]))] if header.startswith(b"*") else []

    def _read_word(self):
        length = int(self.rfile.readline()[1:])
        return self.rfile.read(length + 2)[:-2]

    def do_get(self, values, key):
        return bulk(values.get(key))

    def do_set(self, values, key, value):
        values[key] = value
        return b"+OK\r\n"

    def do_incr(self, values, key):
        values[key] = b"%d" % (int(values.get(key, b"0")) + 1)
        return b":%s\r\n" % values[key]

    def do_rpush(self, values, key, value):
        values.setdefault(key, []).append(value)
        return b":%d\r\n" % len(values[key])

    def do_llen(self, values, key):
        return b":%d\r\n" % len(values.get(key, []))

    def do_lindex(self, values, key, index):
        list_ = values.get(key, [])
        return bulk(list_[int(index)] if int(index) < len(list_) else None)


def bulk(value):
    return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)


class Server(socketserver.ThreadingTCPServer):
    """Serves within a `with` statement.

    Parameters:
        latency: seconds that each command takes.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 100

    def __init__(self, latency=0.0):
        super().__init__(("127.0.0.1", 0), Handler)
        self.latency = latency
        self.calls = 0
        self.values = {}
        self.lock = threading.Lock()

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self.shutdown()
        self.server_close()
