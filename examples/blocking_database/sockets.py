"""The methods of a socket that a blocking driver calls; other tasks of the event loop run while they wait."""

import asyncio
import socket

from greenlet.aio import await_


class Socket:
    def __init__(self, plain):
        self._plain = plain

    def sendall(self, data):
        await_(asyncio.get_running_loop().sock_sendall(self._plain, data))

    def recv(self, count):
        return await_(asyncio.get_running_loop().sock_recv(self._plain, count))

    def close(self):
        self._plain.close()


def connect(address):
    """Connect, like socket.create_connection()."""
    plain = socket.socket()
    plain.setblocking(False)
    try:
        await_(asyncio.get_running_loop().sock_connect(plain, address))
    except BaseException:
        plain.close()
        raise
    return Socket(plain)
