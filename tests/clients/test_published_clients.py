"""Packages from PyPI that use greenlet, from their published wheels."""

import importlib.util

import pytest
from support.environment import DAEMON_THREADS_END_WELL, NEEDS_SSL
from support.processes import output_of


def client(name):
    """Skips a test if *name* is not installed: it does not have a wheel for every interpreter."""
    return pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"{name} is not installed")


@client("gevent")
class TestGevent:
    def test_spawns_and_joins(self):
        assert (
            output_of(
                """
            import gevent
            jobs = [gevent.spawn(lambda n: n * n, number) for number in range(10)]
            gevent.joinall(jobs, timeout=10)
            print([job.value for job in jobs])
            """
            )
            == "[0, 1, 4, 9, 16, 25, 36, 49, 64, 81]\n"
        )

    def test_its_compiled_classes_derive_from_ours(self):
        assert (
            output_of(
                """
            import gevent, greenlet, gevent.hub
            g = gevent.spawn(greenlet.getcurrent)
            g.join()
            print(isinstance(g, greenlet.greenlet), g.value is g, issubclass(gevent.hub.Hub, greenlet.greenlet))
            """
            )
            == "True True True\n"
        )

    def test_switches_between_greenlets(self):
        assert (
            output_of(
                """
            import gevent
            order = []
            def run(name):
                for step in range(3):
                    order.append(name + str(step))
                    gevent.sleep(0)
            gevent.joinall([gevent.spawn(run, name) for name in "ab"])
            print(*order)
            """
            )
            == "a0 b0 a1 b1 a2 b2\n"
        )

    def test_kills(self):
        assert (
            output_of(
                """
            import gevent
            def run():
                try:
                    gevent.sleep(100)
                finally:
                    print("finally")
            g = gevent.spawn(run)
            gevent.sleep(0)
            g.kill()
            print(g.dead, type(g.value).__name__)
            """
            )
            == "finally\nTrue GreenletExit\n"
        )

    def test_exceptions_and_timeouts(self):
        assert (
            output_of(
                """
            import gevent, sys
            gevent.get_hub().exception_stream = None
            def run():
                raise LookupError("in a greenlet")
            g = gevent.spawn(run)
            g.join()
            print(type(g.exception).__name__)
            try:
                with gevent.Timeout(0.01):
                    gevent.sleep(10)
            except gevent.Timeout:
                print("timeout")
            """
            )
            == "LookupError\ntimeout\n"
        )

    def test_queues_events_and_pools(self):
        assert (
            output_of(
                """
            import gevent
            from gevent.event import Event
            from gevent.pool import Pool
            from gevent.queue import Queue
            queue, event = Queue(maxsize=1), Event()
            def produce():
                for number in range(5):
                    queue.put(number)
                event.set()
            gevent.spawn(produce)
            print([queue.get() for _ in range(5)], event.wait(1))
            print(sum(Pool(3).imap_unordered(lambda n: n, range(10))))
            """
            )
            == "[0, 1, 2, 3, 4] True\n45\n"
        )

    @DAEMON_THREADS_END_WELL
    def test_threads_of_its_pool(self):
        assert (
            output_of(
                """
            import gevent, threading
            pool = gevent.get_hub().threadpool
            print(pool.apply(lambda: threading.current_thread() is threading.main_thread()))
            """
            )
            == "False\n"
        )

    @NEEDS_SSL
    def test_patched_sockets_and_threads(self):
        assert (
            output_of(
                """
            from gevent import monkey
            monkey.patch_all()
            import socket, threading
            server = socket.create_server(("127.0.0.1", 0))
            def serve():
                connection, _ = server.accept()
                with connection:
                    connection.sendall(connection.recv(100).upper())
            thread = threading.Thread(target=serve)
            thread.start()
            with socket.create_connection(server.getsockname()) as connection:
                connection.sendall(b"hello")
                print(connection.recv(100).decode())
            thread.join()
            server.close()
            """
            )
            == "HELLO\n"
        )

    def test_greenlet_locals(self):
        assert (
            output_of(
                """
            import gevent
            from gevent.local import local
            here = local()
            here.value = "main"
            def run():
                here.value = "greenlet"
                gevent.sleep(0)
                return here.value
            g = gevent.spawn(run)
            g.join()
            print(g.value, here.value)
            """
            )
            == "greenlet main\n"
        )


@client("eventlet")
class TestEventlet:
    def test_spawns_and_switches(self):
        assert (
            output_of(
                """
            import warnings
            warnings.simplefilter("ignore")
            import eventlet
            order = []
            def run(name):
                for step in range(2):
                    order.append(name + str(step))
                    eventlet.sleep(0)
                return name
            threads = [eventlet.spawn(run, name) for name in "ab"]
            print([thread.wait() for thread in threads], *order)
            """,
                EVENTLET_NO_GREENDNS="yes",
            )
            == "['a', 'b'] a0 b0 a1 b1\n"
        )

    def test_pools_and_queues(self):
        assert (
            output_of(
                """
            import warnings
            warnings.simplefilter("ignore")
            import eventlet
            from eventlet.queue import Queue
            queue = Queue()
            pool = eventlet.GreenPool(3)
            for number in range(5):
                pool.spawn(queue.put, number)
            pool.waitall()
            print(sorted(queue.get() for _ in range(5)))
            """,
                EVENTLET_NO_GREENDNS="yes",
            )
            == "[0, 1, 2, 3, 4]\n"
        )


@client("sqlalchemy")
class TestSqlalchemy:
    def test_greenlet_spawn_awaits_below_ordinary_functions(self):
        assert (
            output_of(
                """
            import asyncio
            from sqlalchemy.util import await_only, greenlet_spawn

            async def answer():
                await asyncio.sleep(0)
                return 42

            def ordinary(depth):
                return ordinary(depth - 1) if depth else await_only(answer())

            print(asyncio.run(greenlet_spawn(ordinary, 10)))
            """
            )
            == "42\n"
        )

    def test_greenlet_spawn_passes_exceptions_both_ways(self):
        assert (
            output_of(
                """
            import asyncio
            from sqlalchemy.util import await_only, greenlet_spawn

            async def fail():
                raise LookupError("inner")

            def ordinary():
                try:
                    await_only(fail())
                except LookupError as error:
                    raise KeyError("outer") from error

            try:
                asyncio.run(greenlet_spawn(ordinary))
            except KeyError as error:
                print(type(error.__cause__).__name__)
            """
            )
            == "LookupError\n"
        )

    def test_many_tasks_at_once(self):
        assert (
            output_of(
                """
            import asyncio
            from sqlalchemy.util import await_only, greenlet_spawn

            def ordinary(number):
                for _ in range(3):
                    await_only(asyncio.sleep(0))
                return number

            async def main():
                return sum(await asyncio.gather(*(greenlet_spawn(ordinary, n) for n in range(100))))

            print(asyncio.run(main()))
            """
            )
            == "4950\n"
        )
