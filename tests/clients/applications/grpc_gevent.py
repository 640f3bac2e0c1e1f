"""gRPC in its gevent mode, with a process each for server and client. A call switches until gRPC's threads wake it."""

import gevent.monkey

gevent.monkey.patch_all()

import grpc.experimental.gevent

grpc.experimental.gevent.init_gevent()

import json
import signal
import sys
import time
from concurrent import futures

import gevent
import grpc
from gevent.event import Event
from gevent.pool import Pool
from session import check, figure, resident, serving, tell_to_end

JSON = {"request_deserializer": json.loads, "response_serializer": lambda value: json.dumps(value).encode()}
CLIENTS = 30


def descend(levels: int) -> int:
    """Switches *levels* frames deep."""
    if levels:
        return descend(levels - 1) + 1
    gevent.sleep(0.001)
    return 0


def deep(levels, context):
    return descend(levels)


def sleep(seconds, context):
    gevent.sleep(seconds)
    return seconds


def fail(text, context):
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, text)


def raises(text, context):
    raise ValueError(text)


def count(end, context):
    for number in range(end):
        if number % 10 == 0:
            gevent.sleep(0)
        yield number


def total(numbers, context):
    return sum(numbers)


def echo(values, context):
    for value in values:
        gevent.sleep(0)
        yield value


def serve() -> None:
    methods = {
        function.__name__: handler(function, **JSON)
        for handler, functions in (
            (grpc.unary_unary_rpc_method_handler, (deep, sleep, fail, raises)),
            (grpc.unary_stream_rpc_method_handler, (count,)),
            (grpc.stream_unary_rpc_method_handler, (total,)),
            (grpc.stream_stream_rpc_method_handler, (echo,)),
        )
        for function in functions
    }
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=100))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Service", methods)])
    port, ending = server.add_insecure_port("127.0.0.1:0"), Event()
    server.start()
    gevent.signal_handler(signal.SIGTERM, ending.set)
    print(port, flush=True)
    ending.wait()
    server.stop(grace=5).wait()


class Service:
    def __init__(self, port: int) -> None:
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        for kind, names in {
            "unary_unary": ["deep", "sleep", "fail", "raises"],
            "unary_stream": ["count"],
            "stream_unary": ["total"],
            "stream_stream": ["echo"],
        }.items():
            for name in names:
                setattr(
                    self,
                    name,
                    getattr(self.channel, kind)(
                        f"/test.Service/{name}", lambda value: json.dumps(value).encode(), json.loads
                    ),
                )


def run_all(jobs: list) -> list:
    gevent.joinall(jobs, timeout=30, raise_error=True)
    assert all(job.ready() for job in jobs), "not all have ended"
    return [job.value for job in jobs]


def calls_give_their_results(service, port) -> None:
    begin = time.monotonic()
    assert Pool(CLIENTS).map(lambda _: service.deep(40, timeout=30), range(600)) == [40] * 600
    figure("calls/s", round(600 / (time.monotonic() - begin)))


def calls_wait_at_the_same_time(service, port) -> None:
    begin, ticks = time.monotonic(), []

    def tick():
        while True:
            gevent.sleep(0.01)
            ticks.append(1)

    ticker = gevent.spawn(tick)
    assert run_all([gevent.spawn(service.sleep, 1, timeout=30) for _ in range(CLIENTS)]) == [1] * CLIENTS
    ticker.kill()
    assert time.monotonic() - begin < CLIENTS / 2 and len(ticks) > 10, f"{len(ticks)} ticks"


def many_channels(service, port) -> None:
    def work(number):
        own = Service(port)
        try:
            return [own.deep(level, timeout=30) for level in range(number)]
        finally:
            own.channel.close()

    assert Pool(10).map(work, range(20)) == [list(range(number)) for number in range(20)]


def errors_come_back(service, port) -> None:
    for method, code, details in (
        (service.fail, grpc.StatusCode.FAILED_PRECONDITION, "text"),
        (service.raises, grpc.StatusCode.UNKNOWN, "Exception calling application: text"),
    ):
        try:
            method("text", timeout=30)
        except grpc.RpcError as error:
            assert (error.code(), error.details()) == (code, details), error
        else:
            raise AssertionError("the error is lost")


def deadlines_end_calls(service, port) -> None:
    begin = time.monotonic()
    try:
        service.sleep(4, timeout=0.5)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED and time.monotonic() - begin < 3, error
    else:
        raise AssertionError("no deadline")


def calls_are_cancelled(service, port) -> None:
    calls = [service.sleep.future(4) for _ in range(10)]
    gevent.sleep(0.1)
    assert all(call.cancel() for call in calls) and all(call.cancelled() for call in calls)
    assert service.deep(1, timeout=30) == 1


def streams_come_whole(service, port) -> None:
    jobs = [gevent.spawn(lambda: list(service.count(200, timeout=30))) for _ in range(10)]
    assert run_all(jobs) == [list(range(200))] * 10


def streams_go_whole(service, port) -> None:
    def numbers():
        for number in range(100):
            gevent.sleep(0)
            yield number

    assert run_all([gevent.spawn(lambda: service.total(numbers(), timeout=30)) for _ in range(10)]) == [4950] * 10
    assert (
        run_all([gevent.spawn(lambda: list(service.echo(numbers(), timeout=30))) for _ in range(10)])
        == [list(range(100))] * 10
    )


def callbacks_run_greenlets(service, port) -> None:
    done = []
    calls = [service.deep.future(number) for number in range(20)]
    for call in calls:
        call.add_done_callback(lambda call: done.append(call.result()))
    assert [call.result(timeout=30) for call in calls] == list(range(20))
    with gevent.Timeout(10):
        while len(done) < 20:
            gevent.sleep(0.01)
    assert sorted(done) == list(range(20))


def main() -> None:
    with serving(__file__, "serve") as (process, line):
        port = int(line)
        service = Service(port)
        for step in (
            calls_give_their_results,
            calls_wait_at_the_same_time,
            many_channels,
            errors_come_back,
            deadlines_end_calls,
            calls_are_cancelled,
            streams_come_whole,
            streams_go_whole,
            callbacks_run_greenlets,
        ):
            with check(step.__name__.replace("_", " ")), gevent.Timeout(40, TimeoutError("after 40 s")):
                step(service, port)
        figure("resident memory of the server, MiB", round(resident(process), 1))
        service.channel.close()
        with check("the server ends when it is told to"):
            tell_to_end(process, 20)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        main()
