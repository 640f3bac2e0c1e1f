"""An application on SQLAlchemy's asyncio layer and asyncpg under load. Tasks are cancelled or time out at any point.

usage: database_load.py URI SECONDS

Tasks move money between accounts. Whatever is interrupted, the sum stays the same, and every connection returns to the
pool.
"""

import asyncio
import random
import sys
import time

import psutil
from session import check, check_flat, figure, resident
from sqlalchemy import ForeignKey, func, select, text
from sqlalchemy.ext.asyncio import AsyncAttrs, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

ACCOUNTS = 200
WORKERS = 40
POOL = {"pool_size": 10, "max_overflow": 5, "pool_timeout": 30}


class Base(AsyncAttrs, DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int]
    transfers: Mapped[list["Transfer"]] = relationship(back_populates="account")


class Transfer(Base):
    __tablename__ = "transfer"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    amount: Mapped[int]
    account: Mapped[Account] = relationship(back_populates="transfers")


class Application:
    def __init__(self, uri: str) -> None:
        self.engine = create_async_engine(uri, **POOL)
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self.done = self.cancelled = self.timed_out = 0
        self.stopping = False

    async def prepare(self) -> None:
        async with self.engine.begin() as connection:
            await connection.run_sync(Base.metadata.drop_all)
            await connection.run_sync(Base.metadata.create_all)
        async with self.sessions.begin() as session:
            session.add_all(Account(id=number, balance=1000) for number in range(ACCOUNTS))

    async def transfer(self) -> None:
        # In ascending order, so that no two transactions wait for each other.
        first, second = sorted(random.sample(range(ACCOUNTS), 2))
        amount = random.randrange(-50, 50)
        async with self.sessions.begin() as session:
            one = await session.get(Account, first, with_for_update=True)
            other = await session.get(Account, second, with_for_update=True)
            one.balance -= amount
            other.balance += amount
            session.add_all([Transfer(account=one, amount=-amount), Transfer(account=other, amount=amount)])
            if random.random() < 0.1:
                await session.flush()
                await session.execute(text("select pg_sleep(0.02)"))

    async def read(self) -> None:
        async with self.sessions() as session:
            account = await session.get(Account, random.randrange(ACCOUNTS))
            statement = select(Transfer).where(Transfer.account == account).order_by(Transfer.id.desc()).limit(10)
            for transfer in await session.scalars(statement):
                assert await transfer.awaitable_attrs.account is account

    async def one_request(self) -> None:
        await (self.transfer() if random.random() < 0.6 else self.read())
        self.done += 1

    async def interrupted_request(self) -> None:
        """A request that is cancelled or times out while it waits for a connection, in a query or in a commit."""
        delay = random.random() ** 2 * 0.05
        if random.random() < 0.5:
            task = asyncio.create_task(self.one_request())
            await asyncio.sleep(delay)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                self.cancelled += 1
        else:
            try:
                async with asyncio.timeout(delay):
                    await self.one_request()
            except TimeoutError:
                self.timed_out += 1

    async def worker(self) -> None:
        while not self.stopping:
            await (self.interrupted_request() if random.random() < 0.2 else self.one_request())

    async def balance(self) -> int:
        async with self.sessions() as session:
            return await session.scalar(select(func.sum(Account.balance)))


async def main(uri: str, seconds: float) -> None:
    application, process, samples = Application(uri), psutil.Process(), []
    await application.prepare()
    begin = time.monotonic()
    workers = [asyncio.create_task(application.worker()) for _ in range(WORKERS)]
    while time.monotonic() - begin < seconds and not any(worker.done() for worker in workers):
        await asyncio.sleep(1)
        samples.append(resident(process))
    elapsed = time.monotonic() - begin
    application.stopping = True
    with check("no request fails but those interrupted"):
        async with asyncio.timeout(60):
            await asyncio.gather(*workers)
        assert application.done and application.cancelled and application.timed_out
    with check("no connection is leaked from the pool"):
        assert application.engine.pool.checkedout() == 0, application.engine.pool.status()
    with check("no money is lost"):
        assert await application.balance() == ACCOUNTS * 1000
    with check("the server has no connection but those of the pool"):
        async with application.engine.connect() as connection:
            count = await connection.scalar(
                text(
                    "select count(*) from pg_stat_activity where usename = current_user "
                    "and backend_type = 'client backend'"
                )
            )
        assert count <= POOL["pool_size"], f"{count} connections"
    await application.engine.dispose()
    figure("requests/s", round(application.done / elapsed))
    figure("cancelled", application.cancelled)
    figure("timed out", application.timed_out)
    figure("resident memory, MiB", round(samples[-1], 1))
    check_flat("memory stays flat", samples)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
