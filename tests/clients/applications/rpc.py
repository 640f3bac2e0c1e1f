"""zerorpc: a server in a process of its own, and clients. Each call is a greenlet on ZeroMQ's sockets."""

import signal
import sys
import time

import gevent
import zerorpc
from gevent.event import Event
from gevent.pool import Pool
from session import check, figure, resident, serving

ENDPOINT = "ipc://service"  # in the current folder


class Service:
    def __init__(self):
        self.ending = Event()

    def descend(self, levels):
        if levels:
            return self.descend(levels - 1) + 1
        gevent.sleep(0.001)
        return 0

    def echo(self, value):
        return value

    def sleep(self, seconds):
        self.ending.wait(seconds)
        return seconds

    def fail(self, text):
        raise ValueError(text)

    def calls_back(self, endpoint, value):
        client = zerorpc.Client(endpoint)
        try:
            return client.echo(value)
        finally:
            client.close()

    @zerorpc.stream
    def count(self, end):
        for number in range(end):
            if number % 100 == 0:
                gevent.sleep(0)
            yield number

    @zerorpc.stream
    def fails_on_the_way(self, end):
        yield from range(end)
        raise KeyError(end)


def serve() -> None:
    service = Service()
    server = zerorpc.Server(service, heartbeat=5)
    server.bind(ENDPOINT)

    def stop():
        service.ending.set()  # the server waits for calls that run
        server.stop()

    gevent.signal_handler(signal.SIGTERM, stop)
    print("ready", flush=True)
    server.run()
    server.close()


def calls_give_their_results(client) -> None:
    begin = time.monotonic()
    for number in range(500):
        assert client.echo({"number": number, "list": [number] * 10}) == {"number": number, "list": [number] * 10}
    figure("calls/s, one after the other", round(500 / (time.monotonic() - begin)))


def calls_run_at_the_same_time(client) -> None:
    begin = time.monotonic()
    jobs = [gevent.spawn(client.sleep, 1 + number / 1000) for number in range(50)]
    gevent.joinall(jobs, timeout=20, raise_error=True)
    assert [job.value for job in jobs] == [1 + number / 1000 for number in range(50)]
    assert time.monotonic() - begin < 25


def many_clients_call_at_once(client) -> None:
    def work(worker):
        own = zerorpc.Client(ENDPOINT, timeout=30)
        results = [own.descend(40) for _ in range(20)] + [own.echo(worker)]
        own.close()
        return results

    pool = Pool(30)
    assert pool.map(work, range(60)) == [[40] * 20 + [worker] for worker in range(60)]


def exceptions_come_back(client) -> None:
    for number in range(50):
        try:
            client.fail(f"number {number}")
        except zerorpc.RemoteError as error:
            assert (error.name, error.msg) == ("ValueError", f"number {number}")
        else:
            raise AssertionError("the exception is lost")


def streams_come_whole(client) -> None:
    # A receiver lets the sender send a hundred messages at a time.
    jobs = [gevent.spawn(lambda: list(client.count(1000))) for _ in range(5)]
    gevent.joinall(jobs, timeout=20, raise_error=True)
    assert [job.value for job in jobs] == [list(range(1000))] * 5


def streams_end_with_an_exception(client) -> None:
    received = []
    try:
        received.extend(client.fails_on_the_way(10))
    except zerorpc.RemoteError as error:
        assert error.name == "KeyError"
    else:
        raise AssertionError("the exception is lost")


def a_service_calls_itself(client) -> None:
    assert [client.calls_back(ENDPOINT, number) for number in range(20)] == list(range(20))


def calls_time_out(client) -> None:
    impatient = zerorpc.Client(ENDPOINT, timeout=0.3)
    try:
        impatient.sleep(30)
    except zerorpc.TimeoutExpired:
        assert impatient.echo(1) == 1
    else:
        raise AssertionError("no timeout")
    finally:
        impatient.close()


def a_killed_caller_leaves_the_client_usable(client) -> None:
    jobs = [gevent.spawn(client.sleep, 30) for _ in range(10)]
    gevent.sleep(0.2)
    gevent.killall(jobs, timeout=10)
    assert all(isinstance(job.value, gevent.GreenletExit) for job in jobs)
    assert client.echo(2) == 2


def main() -> None:
    with serving(__file__, "serve") as (process, line):
        assert line == "ready"
        client = zerorpc.Client(ENDPOINT, timeout=30)
        for step in (
            calls_give_their_results,
            calls_run_at_the_same_time,
            many_clients_call_at_once,
            exceptions_come_back,
            streams_come_whole,
            streams_end_with_an_exception,
            a_service_calls_itself,
            calls_time_out,
            a_killed_caller_leaves_the_client_usable,
        ):
            with check(step.__name__.replace("_", " ")), gevent.Timeout(30, TimeoutError("after 30 s")):
                step(client)
        figure("resident memory of the server, MiB", round(resident(process), 1))
        client.close()
        with check("a call that runs when the server ends is answered"):
            waiting = zerorpc.Client(ENDPOINT, timeout=60)
            job = gevent.spawn(waiting.sleep, 60)
            gevent.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            assert job.get(timeout=10) == 60
            waiting.close()
        with check("the server ends when it is told to"):
            assert process.wait(timeout=10) == 0


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        main()
