"""paramiko under gevent: a server and clients in one process, whose threads are greenlets."""

import gevent.monkey

gevent.monkey.patch_all()

import hashlib
import os
import socket
import stat
import threading
import time
from pathlib import Path

import gevent
import paramiko
from gevent.server import StreamServer
from session import check, figure

CLIENTS = 10
HOST_KEY, USER_KEY, WRONG_KEY = (paramiko.ECDSAKey.generate() for _ in range(3))
FILES = Path.cwd() / "files"


class Server(paramiko.ServerInterface):
    def check_auth_password(self, username, password):
        return paramiko.AUTH_SUCCESSFUL if password == f"secret of {username}" else paramiko.AUTH_FAILED

    def check_auth_publickey(self, username, key):
        return paramiko.AUTH_SUCCESSFUL if key == USER_KEY else paramiko.AUTH_FAILED

    def get_allowed_auths(self, username):
        return "password,publickey"

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel, command):
        gevent.spawn(self.execute, channel, command.decode())
        return True

    def check_channel_direct_tcpip_request(self, chanid, origin, destination):
        gevent.spawn(self.forward, destination)
        return paramiko.OPEN_SUCCEEDED

    def __init__(self, transport):
        self.transport = transport

    def execute(self, channel, command):
        word, _, rest = command.partition(" ")
        if word == "echo":
            channel.sendall(rest.encode())
        elif word == "hash":
            digest = hashlib.sha256()
            while data := channel.recv(32768):
                digest.update(data)
            channel.sendall(digest.hexdigest().encode())
        elif word == "sleep":
            time.sleep(float(rest))
        elif word == "flood":
            for number in range(int(rest)):
                channel.sendall(bytes([number % 256]) * 10_000)
        else:
            channel.sendall_stderr(b"unknown: " + word.encode())
        channel.send_exit_status(0 if word != "nonsense" else 7)
        channel.close()

    def forward(self, destination):
        channel = self.transport.accept(20)
        with socket.create_connection(destination) as connection:
            while data := channel.recv(4096):
                connection.sendall(data)
                channel.sendall(connection.recv(4096))
        channel.close()


class Sftp(paramiko.SFTPServerInterface):
    def list_folder(self, path):
        return [paramiko.SFTPAttributes.from_stat(entry.stat(), entry.name) for entry in os.scandir(FILES)]

    def stat(self, path):
        return paramiko.SFTPAttributes.from_stat(os.stat(FILES / path.lstrip("/")))

    def open(self, path, flags, attr):
        handle = paramiko.SFTPHandle(flags)
        writes = flags & (os.O_WRONLY | os.O_RDWR)
        handle.filename = FILES / path.lstrip("/")
        handle.readfile = handle.writefile = open(handle.filename, "w+b" if writes else "rb")
        return handle


def serve(connection, _) -> None:
    transport = paramiko.Transport(connection)
    transport.add_server_key(HOST_KEY)
    transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Sftp)
    transport.start_server(server=Server(transport), event=threading.Event())
    transport.join()


def connect(port: int, **how) -> paramiko.SSHClient:
    client = paramiko.SSHClient()
    client.get_host_keys().add(f"[127.0.0.1]:{port}", HOST_KEY.get_name(), HOST_KEY)
    client.connect(
        "127.0.0.1", port, timeout=20, banner_timeout=20, auth_timeout=20, allow_agent=False, look_for_keys=False, **how
    )
    return client


def user(number: int) -> dict:
    return {"username": f"user{number}", "password": f"secret of user{number}"}


def run(client: paramiko.SSHClient, command: str) -> bytes:
    stdin, stdout, stderr = client.exec_command(command, timeout=30)
    return stdout.read()


def all_at_once(function) -> list:
    jobs = [gevent.spawn(function, number) for number in range(CLIENTS)]
    gevent.joinall(jobs, timeout=60, raise_error=True)
    assert all(job.ready() for job in jobs), "not all have ended"
    return [job.value for job in jobs]


def clients_log_in_at_once(port) -> None:
    def session(number):
        with connect(port, **(user(number) if number % 2 else {"username": "somebody", "pkey": USER_KEY})) as client:
            return [run(client, f"echo {number} {n}") for n in range(5)]

    begin = time.monotonic()
    assert all_at_once(session) == [[b"%d %d" % (number, n) for n in range(5)] for number in range(CLIENTS)]
    figure("sessions with 5 commands/s", round(CLIENTS / (time.monotonic() - begin), 1))


def wrong_passwords_and_keys_are_refused(port) -> None:
    for wrong in ({"username": "user1", "password": "secret of user2"}, {"username": "user1", "pkey": WRONG_KEY}):
        try:
            connect(port, **wrong)
        except paramiko.AuthenticationException:
            continue
        raise AssertionError("it is logged in")


def the_wrong_host_is_refused(port) -> None:
    client = paramiko.SSHClient()
    client.get_host_keys().add(f"[127.0.0.1]:{port}", WRONG_KEY.get_name(), WRONG_KEY)
    try:
        client.connect("127.0.0.1", port, timeout=20, **user(1), allow_agent=False, look_for_keys=False)
    except paramiko.BadHostKeyException:
        client.close()
    else:
        raise AssertionError("it is trusted")


def channels_of_one_connection(port) -> None:
    with connect(port, **user(1)) as client:
        begin = time.monotonic()
        assert all_at_once(lambda number: run(client, "sleep 1")) == [b""] * CLIENTS
        assert time.monotonic() - begin < CLIENTS / 2


def much_data_either_way(port) -> None:
    data = os.urandom(2_000_000)

    def exchange(number):
        with connect(port, **user(number)) as client:
            stdin, stdout, _ = client.exec_command("hash", timeout=30)
            stdin.write(data)
            stdin.flush()
            stdin.channel.shutdown_write()
            flood = run(client, "flood 100")
            assert flood == b"".join(bytes([n]) * 10_000 for n in range(100))
            return stdout.read().decode()

    begin = time.monotonic()
    jobs = [gevent.spawn(exchange, number) for number in range(3)]
    gevent.joinall(jobs, timeout=60, raise_error=True)
    assert {job.value for job in jobs} == {hashlib.sha256(data).hexdigest()}
    figure("MB/s", round(3 * 3 / (time.monotonic() - begin), 1))


def statuses_and_errors_come_back(port) -> None:
    with connect(port, **user(1)) as client:
        _, stdout, stderr = client.exec_command("nonsense", timeout=30)
        assert stderr.read() == b"unknown: nonsense" and stdout.channel.recv_exit_status() == 7


def files_by_sftp(port) -> None:
    FILES.mkdir()

    def copy(number):
        with connect(port, **user(number)) as client, client.open_sftp() as sftp:
            data = os.urandom(200_000)
            with sftp.open(f"file{number}", "wb") as file:
                file.set_pipelined(True)
                file.write(data)
            with sftp.open(f"file{number}", "rb") as file:
                file.prefetch(len(data))
                assert file.read() == data
            assert stat.S_ISREG(sftp.stat(f"file{number}").st_mode)
            return f"file{number}" in sftp.listdir()

    assert all_at_once(copy) == [True] * CLIENTS


def connections_through_the_server(port) -> None:
    def upper(connection, _):
        while data := connection.recv(4096):
            connection.sendall(data.upper())

    target = StreamServer(("127.0.0.1", 0), upper)
    target.start()

    def through(number):
        with connect(port, **user(number)) as client:
            channel = client.get_transport().open_channel(
                "direct-tcpip", ("127.0.0.1", target.server_port), ("127.0.0.1", 1), timeout=20
            )
            channel.settimeout(20)
            channel.sendall(b"word %d" % number)
            return channel.recv(100)

    assert all_at_once(through) == [b"WORD %d" % number for number in range(CLIENTS)]
    target.stop()


def a_timeout_leaves_the_connection_usable(port) -> None:
    with connect(port, **user(1)) as client:
        _, stdout, _ = client.exec_command("sleep 20", timeout=0.3)
        try:
            stdout.read()
        except TimeoutError:
            assert run(client, "echo after") == b"after"
        else:
            raise AssertionError("no timeout")


def main() -> None:
    server = StreamServer(("127.0.0.1", 0), serve)
    server.start()
    for step in (
        clients_log_in_at_once,
        wrong_passwords_and_keys_are_refused,
        the_wrong_host_is_refused,
        channels_of_one_connection,
        much_data_either_way,
        statuses_and_errors_come_back,
        files_by_sftp,
        connections_through_the_server,
        a_timeout_leaves_the_connection_usable,
    ):
        with check(step.__name__.replace("_", " ")):
            step(server.server_port)
    server.stop(timeout=1)


if __name__ == "__main__":
    main()
