"""The suites of the clients: what each needs and what it runs."""

import postgresql
from runners import Gevent, Pytest, Session, Suite

GEVENT = ("gevent[recommended,test]",)
FAST_GEVENT = tuple(
    f"test__{name}.py"
    for name in (
        "greenlet",
        "real_greenlet",
        "GreenletExit",
        "greenletset",
        "hub",
        "hub_join",
        "event",
        "queue",
        "local",
        "pool",
        "threadpool",
        "contextvars",
        "exc_info",
        "refcount_core",
        "semaphore",
        "timeout",
    )
)

PYTEST = ("pytest", "pytest-timeout")
FAST_EVENTLET = tuple(
    f"tests/{name}_test.py" for name in ("greenthread", "greenpool", "event", "queue", "semaphore", "timeout", "timer")
)

# The tests of the asyncio extension, and tests that run entirely through it on an asynchronous driver.
SQLALCHEMY_TESTS = (
    "test/ext/asyncio",
    "test/base/test_concurrency.py",
    "test/engine",
    "test/orm/test_session.py",
    "test/orm/test_transaction.py",
    "test/orm/test_query.py",
    "test/orm/test_unitofwork.py",
    "test/sql/test_resultset.py",
    "test/sql/test_insert_exec.py",
    "test/dialect/test_suite.py",
)


def sqlalchemy(name: str, driver: str, uri: str, **more) -> Pytest:
    return Pytest(
        name=name,
        client="sqlalchemy",
        requirements=(*PYTEST, "sqlalchemy[asyncio]", driver),
        limit=1200,
        from_source=True,
        is_configured=True,
        python_options=("-s",),  # makes its conftest.py use the installed package
        arguments=("--dburi", uri, "-p", "no:logging", "--maxfail=100000", *SQLALCHEMY_TESTS),
        **more,
    )


FOR_ANOTHER_TASK = "a task opens its own portal; another task can't open it, nor portals for a tree of tasks"

# Tests of greenback that can't pass on greenlet.aio.
GREENBACK_ONLY = (
    ("::test_with_portal_run_tree", FOR_ANOTHER_TASK),
    ("::test_bestow", FOR_ANOTHER_TASK),
    ("::test_no_context_leakage", FOR_ANOTHER_TASK),
    ("::test_uncleanable_traceback", "await_(x) calls x.__await__(), as await does; greenback calls x.send()"),
    (
        "::test_magic",
        "objects that trio's exceptions keep are released when the task has ended, so their __del__ can't wait; "
        "with greenback, the collector releases them in another task",
    ),
)

# Tests of SQLAlchemy that can't pass on greenlet.aio.
SQLALCHEMY_ONLY = (
    (
        "::test_await_only_error",
        "await_() works in a coroutine that a function awaits, where SQLAlchemy's raises an error",
    ),
)


def eventlet(name: str, more: tuple[str, ...], tests: tuple[str, ...], **options) -> Pytest:
    return Pytest(
        name=name,
        client="eventlet",
        requirements=(*PYTEST, "eventlet", *more),
        from_source=True,
        leave_out=("eventlet",),
        arguments=tests,
        **options,
    )


def celery(pool: str, shutdowns: int, **more) -> Session:
    return Session(
        name=f"celery-{pool}",
        client="celery",
        requirements=("celery[redis]", pool, "psutil"),
        limit=180,
        needs=("redis-server",),
        script="celery_worker.py",
        arguments=(pool, str(shutdowns)),
        **more,
    )


SUITES: list[Suite] = [
    Gevent(name="gevent-core", client="gevent", requirements=GEVENT, limit=240, fast=True, files=FAST_GEVENT),
    eventlet("eventlet-greenthread", (), FAST_EVENTLET, limit=120, fast=True),
    Pytest(
        name="greenback",
        client="greenback",
        requirements=(*PYTEST, "greenback", "trio", "anyio", "pytest-trio"),
        limit=120,
        fast=True,
        arguments=("-p", "no:anyio", "--pyargs", "greenback._tests"),
    ),
    Pytest(
        name="greenback-on-aio",
        client="greenback",
        limit=120,
        adapter="greenback_on_aio",
        requirements=(*PYTEST, "greenback", "trio", "anyio", "pytest-trio"),
        can_not_pass=GREENBACK_ONLY,
        arguments=("-p", "no:anyio", "--pyargs", "greenback._tests"),
    ),
    Session(
        name="memray",
        client="memray",
        requirements=("memray", "psutil"),
        limit=120,
        fast=True,
        script="memory_profile.py",
    ),
    Session(
        name="exit-garbage",
        client="gevent",
        requirements=("gevent", "psutil"),
        limit=120,
        fast=True,
        script="exit_garbage.py",
    ),
    celery("gevent", 3, fast=True),
    celery("eventlet", 5),
    Session(
        name="dramatiq",
        client="dramatiq",
        requirements=("dramatiq[redis,gevent]", "psutil"),
        limit=180,
        needs=("redis-server",),
        script="dramatiq_worker.py",
    ),
    Session(
        name="huey",
        client="huey",
        requirements=("huey", "redis", "gevent", "psutil"),
        limit=180,
        needs=("redis-server",),
        script="huey_worker.py",
    ),
    Session(
        name="flask-socketio",
        client="flask-socketio",
        limit=180,
        script="chat.py",
        requirements=("flask-socketio", "gevent", "gevent-websocket", "python-socketio[client]", "psutil"),
    ),
    Session(name="locust", client="locust", requirements=("locust", "psutil"), limit=180, script="load.py"),
    Session(
        name="paramiko", client="paramiko", requirements=("paramiko", "gevent", "psutil"), limit=180, script="ssh.py"
    ),
    Session(
        name="grpcio", client="grpcio", requirements=("grpcio", "gevent", "psutil"), limit=180, script="grpc_gevent.py"
    ),
    Session(
        name="psycopg",
        client="psycopg",
        requirements=("psycopg[binary,pool]", "gevent", "psutil"),
        limit=180,
        needs=("postgres",),
        around=postgresql.server,
        script="psycopg_gevent.py",
        arguments=(postgresql.URI.replace("+asyncpg", ""),),
    ),
    Session(name="zerorpc", client="zerorpc", requirements=("zerorpc", "psutil"), limit=180, script="rpc.py"),
    Session(
        name="pynvim",
        client="pynvim",
        requirements=("pynvim", "psutil"),
        limit=120,
        needs=("nvim",),
        script="neovim.py",
    ),
    Session(name="salabim", client="salabim", requirements=("salabim", "psutil"), limit=120, script="simulation.py"),
    Gevent(
        name="gevent-libev",
        client="gevent",
        requirements=GEVENT,
        limit=1500,
        variables=(("GEVENT_LOOP", "libev-cext"),),
    ),
    Gevent(
        name="gevent-libuv",
        client="gevent",
        requirements=GEVENT,
        limit=1500,
        variables=(("GEVENT_LOOP", "libuv-cffi"),),
    ),
    eventlet("eventlet", ("pyopenssl", "pyzmq", "psycopg2-binary"), ("tests",), limit=1500, seconds_a_test=90),
    sqlalchemy("sqlalchemy-aiosqlite", "aiosqlite", "sqlite+aiosqlite:///:memory:"),
    sqlalchemy("sqlalchemy-asyncpg", "asyncpg", postgresql.URI, needs=("postgres",), around=postgresql.server),
    sqlalchemy(
        "sqlalchemy-on-aio",
        "aiosqlite",
        "sqlite+aiosqlite:///:memory:",
        adapter="sqlalchemy_on_aio",
        can_not_pass=SQLALCHEMY_ONLY,
    ),
    Session(
        name="playwright",
        client="playwright",
        requirements=("playwright", "psutil"),
        limit=900,
        needs=("chromium",),
        script="browse.py",
        arguments=("500",),
    ),
    Session(
        name="gunicorn",
        client="gunicorn",
        requirements=("gunicorn[gevent]", "packaging", "flask", "psutil"),
        limit=240,
        needs=("wrk",),
        script="web.py",
        arguments=("gunicorn",),
    ),
    Session(
        name="uwsgi",
        client="uwsgi",
        requirements=("flask", "gevent", "psutil"),
        limit=240,
        built=("uwsgi",),
        needs=("wrk", "cc"),
        script="web.py",
        arguments=("uwsgi",),
    ),
    Session(
        name="echo-server",
        client="gevent",
        requirements=("gevent", "psutil"),
        limit=900,
        long=True,
        # Addresses are numeric, so no name lookup uses threads.
        variables=(("GEVENT_RESOLVER", "block"),),
        script="echo.py",
        arguments=("300",),
    ),
    Session(
        name="thread-pool",
        client="gevent",
        requirements=("gevent", "psutil"),
        limit=300,
        long=True,
        script="thread_pool.py",
        arguments=("120",),
    ),
    Session(
        name="database-load",
        client="sqlalchemy",
        requirements=("sqlalchemy[asyncio]", "asyncpg", "psutil"),
        limit=400,
        long=True,
        needs=("postgres",),
        around=postgresql.server,
        script="database_load.py",
        arguments=(postgresql.URI, "120"),
    ),
]
