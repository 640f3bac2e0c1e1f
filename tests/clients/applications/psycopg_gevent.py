"""psycopg 3 under gevent: its waits, also those within C calls of libpq, are switches.

usage: psycopg_gevent.py URI
"""

import gevent.monkey

gevent.monkey.patch_all()

import sys
import time

import gevent
import gevent.event
import psycopg
import psycopg_pool
from gevent.pool import Pool
from session import check, figure

ACCOUNTS = 20
WORKERS = 20
URI = sys.argv[1]


def run_all(jobs: list) -> list:
    gevent.joinall(jobs, timeout=30, raise_error=True)
    assert all(job.ready() for job in jobs), "not all have ended"
    return [job.value for job in jobs]


def queries_at_the_same_time() -> None:
    def query(number):
        with psycopg.connect(URI) as connection:
            return connection.execute("select pg_sleep(1), %s::int", (number,)).fetchone()[1]

    begin = time.monotonic()
    assert run_all([gevent.spawn(query, number) for number in range(WORKERS)]) == list(range(WORKERS))
    assert time.monotonic() - begin < WORKERS / 2


def other_greenlets_run_during_a_query() -> None:
    ticks = 0

    def tick():
        nonlocal ticks
        while True:
            gevent.sleep(0.01)
            ticks += 1

    ticker = gevent.spawn(tick)
    with psycopg.connect(URI) as connection:
        connection.execute("select pg_sleep(1)")
    ticker.kill()
    assert ticks > 10, ticks


def transfers_keep_the_sum() -> None:
    with psycopg.connect(URI) as connection:
        connection.execute("drop table if exists account")
        connection.execute("create table account (id int primary key, balance int)")
        connection.cursor().executemany(
            "insert into account values (%s, 1000)", [(number,) for number in range(ACCOUNTS)]
        )

    def transfer(worker):
        with psycopg.connect(URI) as connection:
            for step in range(20):
                first, second = sorted({(worker + step) % ACCOUNTS, (worker * 7 + step * 3 + 1) % ACCOUNTS} | {worker})[
                    :2
                ]
                try:
                    with connection.transaction():
                        for number, change in ((first, -step), (second, step)):
                            (balance,) = connection.execute(
                                "select balance from account where id = %s for update", (number,)
                            ).fetchone()
                            gevent.sleep(0)
                            connection.execute(
                                "update account set balance = %s where id = %s", (balance + change, number)
                            )
                        if step % 5 == 4:
                            raise KeyError("rolled back")
                except KeyError:
                    pass

    begin = time.monotonic()
    run_all([gevent.spawn(transfer, worker) for worker in range(WORKERS)])
    figure("transactions/s", round(WORKERS * 20 / (time.monotonic() - begin)))
    with psycopg.connect(URI) as connection:
        assert connection.execute("select sum(balance), count(*) from account").fetchone() == (
            ACCOUNTS * 1000,
            ACCOUNTS,
        )
        assert connection.execute("select count(*) from account where balance <> 1000").fetchone()[0] > 0


def timeouts_and_kills_end_queries() -> None:
    begin, connection = time.monotonic(), psycopg.connect(URI)
    try:
        with gevent.Timeout(0.3):
            connection.execute("select pg_sleep(20)")
    except gevent.Timeout:
        connection.close()
    else:
        raise AssertionError("no timeout")
    job = gevent.spawn(lambda: psycopg.connect(URI).execute("select pg_sleep(20)"))
    gevent.sleep(0.3)
    job.kill()
    assert isinstance(job.value, gevent.GreenletExit) and time.monotonic() - begin < 10
    with psycopg.connect(URI) as connection:
        assert connection.execute("select 42").fetchone() == (42,)


def cancels_from_another_greenlet() -> None:
    with psycopg.connect(URI) as connection:
        gevent.spawn_later(0.3, connection.cancel)
        try:
            connection.execute("select pg_sleep(20)")
        except psycopg.errors.QueryCanceled:
            connection.rollback()
        else:
            raise AssertionError("the query was not cancelled")
        assert connection.execute("select 1").fetchone() == (1,)


def notifications() -> None:
    def listen():
        with psycopg.connect(URI, autocommit=True) as connection:
            connection.execute("listen news")
            listening.set()
            return [notification.payload for notification in connection.notifies(timeout=20, stop_after=3)]

    listening = gevent.event.Event()
    listener = gevent.spawn(listen)
    listening.wait()
    with psycopg.connect(URI, autocommit=True) as connection:
        for number in range(3):
            gevent.sleep(0.05)
            connection.execute("select pg_notify('news', %s)", (str(number),))
    assert run_all([listener]) == [["0", "1", "2"]]


def copies() -> None:
    def copy(worker):
        with psycopg.connect(URI) as connection:
            connection.execute("create temporary table part (n int, text text)")
            with connection.cursor().copy("copy part from stdin") as into:
                for n in range(5000):
                    into.write_row((n, "x" * (n % 50)))
            with connection.cursor().copy("copy (select * from part order by n) to stdout") as out:
                out.set_types(["int4", "text"])
                return sum(n + len(text) for n, text in out.rows())

    assert set(run_all([gevent.spawn(copy, worker) for worker in range(5)])) == {sum(n + n % 50 for n in range(5000))}


def pipelines() -> None:
    def pipeline(worker):
        with psycopg.connect(URI) as connection, connection.pipeline():
            cursors = [connection.execute("select %s::int", (worker * 1000 + n,)) for n in range(200)]
            return [cursor.fetchone()[0] for cursor in cursors]

    assert run_all([gevent.spawn(pipeline, w) for w in range(5)]) == [
        [w * 1000 + n for n in range(200)] for w in range(5)
    ]


def a_pool_of_connections() -> None:
    def work(number):
        with pool.connection() as connection:
            if number % 10 == 9:
                connection.execute("nonsense")
            return connection.execute("select pg_sleep(0.01), %s::int", (number,)).fetchone()[1]

    def attempt(number):
        try:
            return work(number)
        except psycopg.errors.SyntaxError:
            return None

    with psycopg_pool.ConnectionPool(URI, min_size=2, max_size=5, timeout=30) as pool:
        assert Pool(30).map(attempt, range(200)) == [None if n % 10 == 9 else n for n in range(200)]
        statistics = pool.get_stats()
        assert statistics["pool_available"] == statistics["pool_size"] <= 5, statistics


def main() -> None:
    for step in (
        queries_at_the_same_time,
        other_greenlets_run_during_a_query,
        transfers_keep_the_sum,
        timeouts_and_kills_end_queries,
        cancels_from_another_greenlet,
        notifications,
        copies,
        pipelines,
        a_pool_of_connections,
    ):
        with check(step.__name__.replace("_", " ")):
            step()


if __name__ == "__main__":
    main()
