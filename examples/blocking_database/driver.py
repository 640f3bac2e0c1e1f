"""A typical blocking database driver, written without event loops in mind.

It knows nothing of greenlets or asyncio. The only part that it needs of a network is `connect`, which returns an object
with sendall(), recv() and close().
"""

import contextlib
import socket


class DatabaseError(Exception):
    """The server reported an error, or closed the connection."""


class Connection:
    def __init__(self, address, connect):
        self._socket = connect(address)
        self._received = b""

    def call(self, *words):
        """Send a command, wait for the reply: an int, a str, or None."""
        request = [b"*%d\r\n" % len(words)]
        for word in words:
            data = str(word).encode()
            request.append(b"$%d\r\n%s\r\n" % (len(data), data))
        self._socket.sendall(b"".join(request))
        return self._read_reply()

    def close(self):
        self._socket.close()

    def _read_reply(self):
        line = self._read_line()
        kind, rest = line[:1], line[1:].decode()
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == "-1" else self._read(int(rest) + 2)[:-2].decode()
        if kind == b"-":
            raise DatabaseError(rest)
        return rest

    def _read_line(self):
        while b"\r\n" not in self._received:
            self._receive()
        line, self._received = self._received.split(b"\r\n", 1)
        return line

    def _read(self, count):
        while len(self._received) < count:
            self._receive()
        data, self._received = self._received[:count], self._received[count:]
        return data

    def _receive(self):
        data = self._socket.recv(4096)
        if not data:
            raise DatabaseError("the server closed the connection")
        self._received += data


class Database:
    """A pool of connections, and a method for each command.

    Parameters:
        address: host and port of the server.
        connect: function that takes an address and returns a connected socket.
    """

    def __init__(self, address, connect=socket.create_connection):
        self._address = address
        self._connect = connect
        self._idle = []

    def get(self, key):
        return self._call("GET", key)

    def set(self, key, value):
        self._call("SET", key, value)

    def increment(self, key):
        return self._call("INCR", key)

    def append(self, key, value):
        return self._call("RPUSH", key, value)

    def items(self, key):
        """Iterate over a list, fetching each item when it is requested."""
        for index in range(self._call("LLEN", key)):
            yield self._call("LINDEX", key, index)

    def close(self):
        while self._idle:
            self._idle.pop().close()

    def _call(self, *words):
        with self._connection() as connection:
            return connection.call(*words)

    @contextlib.contextmanager
    def _connection(self):
        connection = self._idle.pop() if self._idle else Connection(self._address, self._connect)
        try:
            yield connection
        except DatabaseError:
            self._idle.append(connection)
            raise
        except BaseException:
            connection.close()  # a reply may still arrive for which nobody waits
            raise
        self._idle.append(connection)
