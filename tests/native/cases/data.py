"""Tables and columns: pandas, Polars, PyArrow, DuckDB."""

from case import as_deep, case, close, pypi
from journal import deepest, step

PANDAS = pypi("pandas", "numexpr")
POLARS = pypi("polars")
PYARROW = pypi("pyarrow")
DUCKDB = pypi("duckdb")


def table():
    import numpy
    import pandas

    return pandas.DataFrame(
        {
            "key": numpy.arange(10_000) % 97,
            "value": numpy.arange(10_000) / 7,
            "text": [f"text {i % 13}" for i in range(10_000)],
        }
    )


@case(PANDAS, same=close)
def groupby_and_merge():
    """Groups, a merge, a pivot table, windows and resampled times."""
    import pandas

    frame = table()
    step("groupby")
    results = [frame.groupby("key").value.mean().sum(), frame.groupby("text").value.apply(lambda x: x.max()).sum()]
    step("merge")
    results += [len(frame.merge(frame.head(500), on="key"))]
    step("pivot")
    results += [frame.pivot_table(index="key", columns="text", values="value").sum().sum()]
    step("rolling")
    results += [frame.value.rolling(10).apply(sum, raw=True).sum()]
    step("resample")
    times = frame.set_index(pandas.date_range("2026-01-01", periods=len(frame), freq="min"))
    results += [times.value.resample("h").std().sum()]
    return list(map(float, results))


@case(PANDAS, same=close)
def expressions():
    """eval() and query() on numexpr and in Python, a deeply nested one among them."""
    frame = table()
    results = []
    for engine in ("numexpr", "python"):
        step(engine)
        results += [
            frame.eval("value * 2 + key", engine=engine).sum(),
            len(frame.query("key > 50 and value < 900", engine=engine)),
        ]
        results += [frame.eval("value" + " + 1" * 25, engine=engine).sum()]
    return list(map(float, results))


@case(PANDAS)
def files():
    """read_csv() by both parsers, to_csv(), JSON there and back, HTML."""
    import io

    import pandas

    frame, results = table(), []
    for engine in ("c", "python"):
        step(f"csv {engine}")
        results.append(pandas.read_csv(io.StringIO(frame.to_csv(index=False)), engine=engine).equals(frame))
    step("json")
    results.append(len(pandas.read_json(io.StringIO(frame.to_json(orient="records")))))
    nested = 1
    for _ in range(900):
        nested = [nested]
    step("nested json")
    results.append(len(pandas.Series([nested]).to_json()))
    step("html")
    results.append(len(frame.head(50).to_html()))
    return results


@case(POLARS, same=as_deep)
def deep_expression():
    """A lazy frame whose column is the sum of up to 500 terms, nested."""
    import polars

    frame = polars.LazyFrame({"a": [1, 2, 3]})

    def add(depth):
        expression = polars.col("a")
        for i in range(depth):
            expression = expression + i
        assert frame.select(expression).collect()["a"][0] == 1 + depth * (depth - 1) // 2

    return deepest(add, 500)


@case(POLARS)
def lazy_queries():
    """A join, groups, functions in Python and SQL, on a lazy frame of 100 steps."""
    import polars

    frame = polars.LazyFrame({"a": range(10_000), "b": [i % 97 for i in range(10_000)]})
    for i in range(100):
        frame = frame.with_columns((polars.col("a") + i).alias("a")).filter(polars.col("a") > i)
    step("collect")
    results = [frame.collect()["a"].sum()]
    step("join")
    results += [frame.join(frame, on="b").collect().height]
    step("groups")
    results += [frame.group_by("b").agg(polars.col("a").sum()).collect()["a"].sum()]
    step("a function in Python")
    results += [
        frame.select(polars.col("a").map_elements(lambda a: 2 * a, return_dtype=polars.Int64)).collect()["a"].sum()
    ]
    step("SQL")
    results += [polars.SQLContext(frame=frame).execute("select sum(a) as total from frame", eager=True)["total"][0]]
    step("JSON")
    kind = polars.Struct({"a": polars.List(polars.Int64)})
    results += [polars.Series(['{"a": [1, 2, 3]}']).str.json_decode(kind).to_list()[0]["a"]]
    return results


@case(PYARROW, same=as_deep)
def nested_types():
    """Lists nested up to 1,000 deep as a type, an array, compared and printed."""
    import pyarrow

    def nest(depth):
        kind, value = pyarrow.int64(), 1
        for _ in range(depth):
            kind, value = pyarrow.list_(kind), [value]
        array = pyarrow.array([value], kind)
        assert array.equals(pyarrow.array([value], kind)) and str(kind) and str(array)
        array.validate(full=True)

    return deepest(nest, 1000)


@case(PYARROW)
def compute_and_files():
    """Computing, a join, CSV, JSON and Parquet in memory."""
    import io

    import pyarrow
    import pyarrow.compute
    import pyarrow.csv
    import pyarrow.json
    import pyarrow.parquet

    table = pyarrow.table({"a": list(range(10_000)), "b": [str(i % 97) for i in range(10_000)]})
    results = [
        pyarrow.compute.sum(table["a"]).as_py(),
        table.group_by("b").aggregate([("a", "sum")]).num_rows,
        table.join(table.slice(0, 97), "b", right_suffix="2").num_rows,
    ]
    for module, write in ((pyarrow.csv, pyarrow.csv.write_csv), (pyarrow.parquet, pyarrow.parquet.write_table)):
        step(module.__name__)
        file = io.BytesIO()
        write(table, file)
        file.seek(0)
        results.append((module.read_csv if module is pyarrow.csv else module.read_table)(file).num_rows)
    step("JSON")
    results.append(
        pyarrow.json.read_json(io.BytesIO(b'{"a": {"b": [1, {"c": 2}]}}\n'.replace(b'{"c": 2}', b"2") * 100)).num_rows
    )
    return results


@case(DUCKDB, fast=True)
def deep_sum():
    """SELECT 1+1+... of 900 terms."""
    import duckdb

    return duckdb.sql("select " + "+".join(["1"] * 900)).fetchall()


@case(DUCKDB, same=as_deep)
def nested_parentheses():
    """Expressions in parentheses, as deep as DuckDB lets them be."""
    import duckdb

    connection = duckdb.connect()
    return deepest(
        lambda depth: connection.sql("select " + "(1+" * depth + "1" + ")" * depth).fetchall(), 1000, duckdb.Error
    )


@case(DUCKDB, same=as_deep)
def nested_queries():
    """Subqueries up to 800 deep."""
    import duckdb

    connection = duckdb.connect()

    def run(depth):
        query = "select 1 as a"
        for _ in range(depth):
            query = f"select a + 1 as a from ({query})"
        assert connection.sql(query).fetchall() == [(1 + depth,)]

    return deepest(run, 800, duckdb.Error)


@case(DUCKDB)
def queries():
    """A recursive query, JSON, lists nested 100 deep, windows, a function in Python, a data frame."""
    import duckdb

    connection = duckdb.connect()
    connection.create_function(
        "double", lambda x: 2 * x, [duckdb.typing.BIGINT if hasattr(duckdb, "typing") else "BIGINT"], "BIGINT"
    )
    results = []
    for query in (
        "with recursive t(n) as (select 1 union all select n + 1 from t where n < 1000) select sum(n) from t",
        "select json_extract('" + "[" * 500 + "1" + "]" * 500 + "', '$[0]') is null",
        "select len(" + "[" * 100 + "1" + "]" * 100 + ")",
        "select sum(s) from (select sum(i) over (partition by i % 7 order by i) as s from range(10000) t(i))",
        "select sum(double(i)) from range(10000) t(i)",
        "select count(*) from range(1000) a(i) join range(1000) b(j) on i = j",
    ):
        step(query[:60])
        results.append(float(connection.sql(query).fetchall()[0][0]))
    return results
