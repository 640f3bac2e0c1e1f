"""Libraries that use greenlets, from their published wheels: gevent and SQLAlchemy."""

from suite import Loop, Row, Unavailable, switching
from suite.spawning import nothing

MANY = 1_000


def import_gevent():
    try:
        import gevent
    except ImportError as error:
        raise Unavailable(str(error)) from error
    return gevent


def spawn_and_join() -> Loop:
    gevent = import_gevent()

    def loop(count):
        for _ in range(count):
            gevent.joinall([gevent.spawn(nothing) for _ in range(MANY)])

    return loop


def spawn_raw() -> Loop:
    gevent = import_gevent()

    def loop(count):
        for _ in range(count):
            for _ in range(MANY):
                gevent.spawn_raw(nothing)
            gevent.sleep(0)

    return loop


def sleep_zero(depth: int) -> Loop:
    """Many greenlets run in turns, each so deep."""
    gevent = import_gevent()

    def loop(count):
        def sleep_again():
            sleep = gevent.sleep
            for _ in range(count):
                sleep(0)

        gevent.joinall([gevent.spawn(switching.descend, depth + 1, sleep_again) for _ in range(100)])

    return loop


def queue_ping_pong() -> Loop:
    gevent = import_gevent()
    from gevent.queue import Queue

    def loop(count):
        there, back = Queue(), Queue()

        def answer():
            for _ in range(count):
                back.put(there.get())

        partner = gevent.spawn(answer)
        for _ in range(count):
            there.put(None)
            back.get()
        partner.join()

    return loop


def import_sqlalchemy():
    try:
        import sqlalchemy
        import sqlalchemy.ext.asyncio
    except ImportError as error:
        raise Unavailable(str(error)) from error
    return sqlalchemy


def greenlet_spawn() -> Loop:
    import_sqlalchemy()
    import asyncio

    from sqlalchemy.util import greenlet_spawn

    event_loop = asyncio.new_event_loop()

    def loop(count):
        async def spawn():
            for _ in range(count):
                await greenlet_spawn(nothing)

        event_loop.run_until_complete(spawn())

    return loop


def orm_select() -> Loop:
    sqlalchemy = import_sqlalchemy()
    import asyncio

    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

    class Base(DeclarativeBase):
        pass

    class Item(Base):
        __tablename__ = "item"
        number: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]

    event_loop = asyncio.new_event_loop()
    try:
        engine = create_async_engine("sqlite+aiosqlite:///:memory:")
    except ImportError as error:
        raise Unavailable(str(error)) from error

    async def fill():
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with AsyncSession(engine) as session:
            session.add_all(Item(name=f"item {i}") for i in range(100))
            await session.commit()

    event_loop.run_until_complete(fill())
    query = sqlalchemy.select(Item).where(Item.number > 50).limit(10)

    def loop(count):
        async def select():
            for _ in range(count):
                async with AsyncSession(engine) as session:
                    assert len((await session.scalars(query)).all()) == 10

        event_loop.run_until_complete(select())

    return loop


ROWS = [
    Row("gevent spawn + joinall", spawn_and_join, MANY, 2, True),
    Row("gevent spawn_raw", spawn_raw, MANY, 3, True),
    Row("gevent sleep(0)", lambda: sleep_zero(0), 100, 1, False),
    Row("gevent sleep(0), 50 frames deep", lambda: sleep_zero(50), 100, 1.6, True),
    Row("gevent queue, there and back", queue_ping_pong, 1),
    Row("SQLAlchemy greenlet_spawn", greenlet_spawn, 1, 5, True),
    Row("SQLAlchemy ORM select, aiosqlite", orm_select, 1),
]
