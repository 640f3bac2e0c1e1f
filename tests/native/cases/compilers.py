"""Compilers, parsers and solvers: Numba, tree-sitter, LibCST, Z3, Shapely."""

from case import as_deep, case, pypi
from journal import deepest, step

NUMBA = pypi("numba")
TREE_SITTER = pypi("tree-sitter", "tree-sitter-python")
LIBCST = pypi("libcst")
Z3 = pypi("z3-solver")
SHAPELY = pypi("shapely")


@case(NUMBA, limit=120)
def compile_and_run():
    """A function is compiled by LLVM and run, with arrays, dictionaries and exceptions."""
    import numba
    import numpy

    @numba.njit
    def count(numbers):
        seen = {}
        for number in numbers:
            seen[number] = 1 if number not in seen else seen[number] + 1
        if len(seen) > 50:
            raise ValueError("too many")
        return len(seen), (numpy.sqrt(numbers.astype(numpy.float64)) @ numbers.astype(numpy.float64))

    results = list(map(float, count(numpy.arange(1000) % 13)))
    try:
        count(numpy.arange(1000))
    except ValueError as error:
        results.append(str(error))
    return results


@case(NUMBA, limit=120)
def recursion():
    """A compiled function calls itself 20,000 deep."""
    import numba
    import numpy

    @numba.njit
    def depth(n):
        if n == 0:
            return 0
        kept = numpy.full(3, n)  # prevents LLVM from turning it into a loop
        return depth(n - 1) + kept[n % 3] // n

    return depth(20_000)


@case(NUMBA, limit=120)
def large_function():
    """A function with 15 nested conditions and a long expression is compiled."""
    import numba

    source = "def f(a):\n    b = 0\n"
    for i in range(15):
        source += "    " * (i + 1) + f"if a > {i}:\n" + "    " * (i + 2) + f"b += {i}\n"
    source += "    return b" + " + a" * 500
    names = {}
    exec(source, names)
    return numba.njit(names["f"])(100)


@case(NUMBA, limit=120)
def parallel():
    """A loop in parallel, on Numba's own threads, and a callback from C."""
    import numba
    import numpy

    @numba.njit(parallel=True)
    def total(numbers):
        result = 0.0
        for i in numba.prange(len(numbers)):
            result += numbers[i]
        return result

    @numba.cfunc("float64(float64)")
    def double(x):
        return 2 * x

    @numba.vectorize(["float64(float64)"], target="parallel")
    def half(x):
        return x / 2

    return [total(numpy.ones(100_000)), double.ctypes(21.0), float(half(numpy.ones(1000)).sum())]


@case(TREE_SITTER, same=as_deep)
def syntax_trees():
    """Sources nested up to 10,000 deep are parsed, walked and printed."""
    import tree_sitter
    import tree_sitter_python

    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_python.language()))

    def parse(depth):
        tree = parser.parse(b"(" * depth + b"a" + b")" * depth)
        cursor, level = tree.walk(), 0
        while cursor.goto_first_child() or cursor.goto_next_sibling():
            level += 1
        assert level >= depth and len(str(tree.root_node)) > depth

    return deepest(parse, 10_000)


@case(LIBCST, same=as_deep)
def concrete_trees():
    """Sources are parsed by the parser in Rust, changed and written, as deep as it goes."""
    import libcst

    class Renamer(libcst.CSTTransformer):
        def leave_Name(self, original_node, updated_node):
            return updated_node.with_changes(value="b")

    def parse(depth):
        source = "(" * depth + "a" + ")" * depth + "\n" + "a" + " + a" * depth + "\n"
        assert libcst.parse_module(source).visit(Renamer()).code == source.replace("a", "b")

    return deepest(parse, 150, libcst.ParserSyntaxError)


@case(Z3, same=as_deep)
def terms():
    """Terms nested up to 2,000 deep are made, simplified, printed and solved."""
    import z3

    def solve(depth):
        x = z3.Int("x")
        term = x
        for i in range(depth):
            term = z3.If(term > i, term + 1, term)
        solver = z3.Solver()
        solver.add(term == 1, x == 0)
        z3.simplify(term), solver.sexpr(), solver.check()

    return deepest(solve, 2000, z3.Z3Exception)


@case(SHAPELY, same=as_deep)
def nested_collections():
    """Collections of geometries nested up to 2,000 deep are read, written and measured."""
    import shapely

    def use(depth):
        collection = shapely.from_wkt("GEOMETRYCOLLECTION (" * depth + "POINT (1 2)" + ")" * depth)
        assert shapely.from_wkb(shapely.to_wkb(collection)).bounds == (1, 2, 1, 2) and collection.equals(collection)

    return deepest(use, 2000, shapely.errors.ShapelyError)


@case(SHAPELY)
def geometry():
    """A union of 2,000 circles, buffers, Voronoi cells, a tree, validation and simplification."""
    import numpy
    import shapely

    points = shapely.points(numpy.random.default_rng(1).random((2000, 2)) * 100)
    step("union")
    union = shapely.union_all(shapely.buffer(points, 1))
    results = [round(union.area, 6)]
    step("voronoi")
    results.append(len(shapely.voronoi_polygons(shapely.multipoints(points)).geoms))
    step("tree")
    tree = shapely.STRtree(points)
    results.append(len(tree.query(shapely.box(10, 10, 50, 50), predicate="contains")))
    step("others")
    return [
        *results,
        union.is_valid,
        round(union.buffer(-0.5).simplify(0.1).area, 6),
        round(union.convex_hull.length, 6),
    ]
