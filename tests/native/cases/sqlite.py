"""SQLite, through the standard library's sqlite3, and SQL that calls back into Python."""

from case import CPYTHON, as_deep, case, pypi
from journal import deepest, step

SQLALCHEMY = pypi("sqlalchemy[asyncio]", "aiosqlite")
PGLAST = pypi("pglast")


def connect():
    import sqlite3

    return sqlite3.connect(":memory:")


@case(CPYTHON, same=as_deep, fast=True)
def sqlite_expressions():
    """Sums and parentheses, to SQLite's limit of 1,000."""
    import sqlite3

    connection = connect()

    def run(depth):
        assert connection.execute("select " + "+".join(["1"] * (depth + 1))).fetchone() == (1 + depth,)

    def parenthesized(depth):
        assert connection.execute("select " + "(1+" * depth + "1" + ")" * depth).fetchone() == (1 + depth,)

    return [deepest(run, 2000, sqlite3.Error), deepest(parenthesized, 2000, sqlite3.Error)]


@case(CPYTHON, same=as_deep)
def sqlite_subqueries():
    """Subqueries, compound selections and views in views, as deep as SQLite takes them."""
    import sqlite3

    connection = connect()
    connection.execute("create view v0 as select 1 as a")
    for i in range(1, 200):
        connection.execute(f"create view v{i} as select a + 1 as a from v{i - 1}")

    def nest(depth):
        query = "select 1 as a"
        for _ in range(depth):
            query = f"select a + 1 as a from ({query})"
        connection.execute(query).fetchone()

    def compound(depth):
        assert len(connection.execute(" union all ".join(["select 1"] * depth)).fetchall()) == depth

    def view(depth):
        assert connection.execute(f"select a from v{depth}").fetchone() == (1 + depth,)

    return [
        deepest(nest, 2000, sqlite3.Error),
        deepest(compound, 2000, sqlite3.Error),
        deepest(view, 199, sqlite3.Error),
    ]


@case(CPYTHON)
def sqlite_recursive_query():
    """A recursive common table expression of 100,000 rows, windows, JSON nested 900 deep, a sorted million."""
    results = []
    for query in (
        "with recursive t(n) as (select 1 union all select n + 1 from t where n < 100000) select sum(n) from t",
        "with recursive t(n) as (select 1 union all select n + 1 from t where n < 1000) "
        "select sum(s) from (select sum(n) over (order by n) as s from t)",
        "select length(json('" + "[" * 900 + "]" * 900 + "'))",
        "with recursive t(n) as (select 1 union all select n + 1 from t where n < 200000) "
        "select n from t order by -n limit 1",
    ):
        step(query[:60])
        results.append(connect().execute(query).fetchone()[0])
    return results


@case(CPYTHON, same=as_deep, fast=True)
def sqlite_calls_python():
    """A function in Python runs a query that calls it again."""
    import sqlite3

    connection = connect()

    def again(n):
        return 1 + connection.execute("select again(?)", (n - 1,)).fetchone()[0] if n else 0

    connection.create_function("again", 1, again)

    def run(depth):
        assert connection.execute("select again(?)", (depth,)).fetchone() == (depth,)

    return deepest(run, 5000, sqlite3.Error)


@case(CPYTHON)
def sqlite_callbacks():
    """An authorizer, a progress handler, a collation, an aggregate, a trace and a row factory in Python."""
    import sqlite3

    class Longest:
        def __init__(self):
            self.best = ""

        def step(self, value):
            self.best = max(self.best, value, key=len)

        def finalize(self):
            return self.best

    connection, counts = connect(), {"authorizer": 0, "progress": 0, "trace": 0}

    def count(name, result):
        counts[name] += 1
        return result

    connection.set_authorizer(lambda *_: count("authorizer", sqlite3.SQLITE_OK))
    connection.set_progress_handler(lambda: count("progress", 0), 100)
    connection.set_trace_callback(lambda _: count("trace", None))
    connection.create_collation("backwards", lambda a, b: (a[::-1] > b[::-1]) - (a[::-1] < b[::-1]))
    connection.create_aggregate("longest", 1, Longest)
    connection.row_factory = sqlite3.Row
    connection.execute("create table t (a text)")
    connection.executemany("insert into t values (?)", ((str(i),) for i in range(1000)))
    first = [row["a"] for row in connection.execute("select a from t order by a collate backwards limit 3")]
    return [
        first,
        connection.execute("select longest(a) from t").fetchone()[0],
        [count > 0 for count in counts.values()],
    ]


@case(CPYTHON, same=as_deep)
def sqlite_triggers():
    """Triggers that fire themselves, to SQLite's limit of 1,000."""
    import sqlite3

    def run(depth):
        connection = connect()
        connection.execute("pragma recursive_triggers = on")
        connection.execute("create table t (n)")
        connection.execute(
            "create trigger again after insert on t when new.n > 0 begin insert into t values (new.n - 1); end"
        )
        connection.execute("insert into t values (?)", (depth,))
        assert connection.execute("select count(*) from t").fetchone() == (1 + depth,)

    return deepest(run, 2000, sqlite3.Error)


@case(SQLALCHEMY, same=as_deep)
def expressions():
    """SQLAlchemy compiles and runs nested expressions and subqueries, as deep as they go."""
    import sqlalchemy
    from sqlalchemy import exc

    engine = sqlalchemy.create_engine("sqlite://")

    def run(depth):
        expression = sqlalchemy.literal(1)
        for _ in range(depth):
            expression = expression + 1
        query = sqlalchemy.select(expression.label("a"))
        for _ in range(min(depth, 5)):
            query = sqlalchemy.select(query.subquery().c.a)
        with engine.connect() as connection:
            assert connection.execute(query).scalar() == 1 + depth

    return deepest(run, 2000, exc.SQLAlchemyError)


@case(
    PGLAST,
    same=as_deep,
    on_thread_stack="limits itself to 100 KiB of stack unless the thread's bounds show more",
)
def postgresql_parser():
    """The parser of PostgreSQL: sums and subqueries are parsed and printed, as deep as it takes them."""
    import pglast

    def run(depth):
        pglast.parse_sql("select " + "1+" * depth + "1")
        query = "select 1"
        for _ in range(depth // 4):
            query = f"select ({query})"
        pglast.parser.parse_sql_json(query)
        pglast.parser.fingerprint(query)

    return deepest(run, 2000, pglast.Error)


@case(PGLAST, same=as_deep)
def postgresql_parser_of_signs():
    """The parser of PostgreSQL: signs before signs, where it checks the stack pointer."""
    import pglast

    return deepest(lambda depth: pglast.parser.parse_sql_json("select " + "- " * depth + "1"), 2000, pglast.Error)
