"""Linear algebra and other array computations: NumPy, SciPy, scikit-learn."""

from case import case, close, in_greenlet, pypi
from journal import step

NUMPY = pypi("numpy")
NUMPY_IN_GEVENT = pypi("numpy", "gevent")
SCIPY = pypi("scipy")
SCIKIT_LEARN = pypi("scikit-learn")
SIZES = (100, 500, 600, 1000, 2000)


def matrix(size, kind="float64"):
    import numpy

    return numpy.random.default_rng(size).standard_normal((size, size)).astype(kind)


def check(found, wanted, tolerance=1e-7):
    import numpy

    error = numpy.linalg.norm(found - wanted) / numpy.linalg.norm(wanted)
    assert error < tolerance, error


def numpy_linalg():
    from numpy import linalg

    return linalg


def scipy_linalg():
    from scipy import linalg

    return linalg


def each_size(function):
    """Return a list of the results of *function* for a matrix of each size."""
    results = []
    for size in SIZES:
        step(f"size {size}")
        results += map(float, function(matrix(size)))
    return results


def solve_one(linalg, a):
    import numpy

    x = linalg.solve(a, numpy.ones(len(a)))
    check(a @ x, numpy.ones(len(a)))
    return list(map(float, x[:3]))


@case(SCIPY, same=close, prepare=scipy_linalg)
@case(NUMPY, same=close, prepare=numpy_linalg, fast=True)
def solve(linalg):
    """Equations are solved, sizes 100 to 2000."""
    return each_size(lambda a: solve_one(linalg, a))


@case(SCIPY, same=close, prepare=scipy_linalg)
@case(NUMPY, same=close, prepare=numpy_linalg)
def inv(linalg):
    """Matrices are inverted, sizes 100 to 2000."""
    import numpy

    def invert(a):
        inverse = linalg.inv(a)
        check(a @ inverse, numpy.eye(len(a)))
        return inverse[0, :3]

    return each_size(invert)


@case(NUMPY, same=close, prepare=numpy_linalg)
def slogdet(linalg):
    """Determinants, by LU decomposition, sizes 100 to 2000."""
    return each_size(linalg.slogdet)


@case(SCIPY, same=close, prepare=scipy_linalg)
def lu(linalg):
    """LU decomposition, sizes 100 to 2000."""

    def decompose(a):
        permutation, lower, upper = linalg.lu(a)
        check(permutation @ lower @ upper, a)
        return upper[0, :3]

    return each_size(decompose)


@case(SCIPY, same=close, prepare=scipy_linalg, limit=200)
@case(NUMPY, same=close, prepare=numpy_linalg, limit=200)
def eig(linalg):
    """Eigenvalues and eigenvectors, sizes 100 to 2000."""

    def decompose(a):
        values, vectors = linalg.eig(a)
        check(a @ vectors, vectors * values)
        return sorted(abs(values))[-3:]

    return each_size(decompose)


@case(SCIPY, same=close, prepare=scipy_linalg, limit=100)
@case(NUMPY, same=close, prepare=numpy_linalg, limit=100)
def svd(linalg):
    """Singular values and vectors, sizes 100 to 2000."""

    def decompose(a):
        u, s, v = linalg.svd(a)
        check(u * s @ v, a)
        return s[:3]

    return each_size(decompose)


@case(NUMPY, same=close)
def solve_other_types():
    """numpy.linalg.solve, qr, cholesky and lstsq of 600x600 in single precision and complex."""
    import numpy
    from numpy import linalg

    results = []
    for kind in ("float32", "complex64", "complex128"):
        step(kind)
        a = matrix(600, kind) + 50 * numpy.eye(600, dtype=kind)
        b = numpy.ones(600, kind)
        for x in (linalg.solve(a, b), linalg.lstsq(a, b, rcond=None)[0]):
            check(a @ x, b, 1e-3)
        q, r = linalg.qr(a)
        check(q @ r, a, 1e-3)
        lower = linalg.cholesky(a @ a.conj().T)
        check(lower @ lower.conj().T, a @ a.conj().T, 1e-3)
        results += [round(float(abs(x).sum()), 2)]
    return results


@case(NUMPY, same=close)
def arrays():
    """Sorting, Fourier transform, einsum, random numbers, ufuncs in Python, text input."""
    import io

    import numpy

    a = matrix(500)
    step("sort")
    results = [numpy.sort(a, axis=None)[1000], numpy.argsort(a, axis=None)[1000]]
    step("fft")
    results += [abs(numpy.fft.fft2(a)).sum()]
    step("einsum")
    results += [numpy.einsum("ij,jk,kl->il", a, a, a, optimize=True)[0, 0]]
    step("ufunc")
    results += [numpy.frompyfunc(lambda x, y: x + y, 2, 1).reduce(a[0])]
    step("text")
    results += [numpy.loadtxt(io.StringIO("\n".join("1 2 3" for _ in range(1000)))).sum()]
    return list(map(float, results))


def in_gevent(function):
    import gevent

    return gevent.spawn(function).get(timeout=60)


@case(NUMPY_IN_GEVENT, same=close, prepare=numpy_linalg, inside=in_gevent, fast=True)
def solve_in_gevent_spawn(linalg):
    """numpy.linalg.solve 600x600, spawned by gevent."""
    return solve_one(linalg, matrix(600))


def among_five_others(function):
    """Call *function* in a greenlet while five more are suspended. These are then resumed, and must be intact."""
    from greenlet import getcurrent, greenlet

    main = getcurrent()

    def fill(depth, number):
        kept = [number, depth, bytes([number]) * 5000]
        below = fill(depth - 1, number) if depth else main.switch()
        assert kept == [number, depth, bytes([number]) * 5000]
        return below + depth

    others = [greenlet(fill) for _ in range(5)]
    for number, other in enumerate(others):
        other.switch(50, number)
    result = in_greenlet(function)
    assert [other.switch(number) for number, other in enumerate(others)] == [
        number + 50 * 51 // 2 for number in range(5)
    ]
    return result


@case(NUMPY, same=close, prepare=numpy_linalg, inside=among_five_others, fast=True)
def solve_among_suspended(linalg):
    """numpy.linalg.solve 600x600 while five greenlets are suspended, which are then resumed."""
    return solve_one(linalg, matrix(600))


@case(SCIPY, same=close)
def functions_of_matrices():
    """scipy.linalg.expm, sqrtm and schur of 500x500."""
    from scipy import linalg

    a = matrix(500) / 50
    results = []
    for function in (linalg.expm, linalg.sqrtm, lambda x: linalg.schur(x @ x.T)[0]):
        results.append(float(abs(function(a)).sum()))
    return results


@case(SCIPY, same=close)
def callbacks():
    """Integration and optimisation, which call back into Python from Fortran and C."""
    from scipy import integrate, optimize

    def nested(depth):
        return integrate.quad(lambda x: x + (nested(depth - 1) if depth else 0), 0, 1)[0]

    step("quad in quad")
    results = [nested(2)]
    step("differential equation")
    results += list(integrate.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 10), [0, 1], method="LSODA").y[:, -1])
    for method in ("BFGS", "L-BFGS-B", "SLSQP", "COBYLA", "trust-constr"):
        step(method)
        found = optimize.minimize(optimize.rosen, [1.3, 0.7, 0.8], method=method, options={"maxiter": 2000}).fun
        results.append(float(found < 0.01))
    step("linear programme")
    results.append(optimize.linprog([-1, -2], A_ub=[[1, 1]], b_ub=[4]).fun)
    return list(map(float, results))


@case(SCIPY, same=close)
def sparse_and_spatial():
    """A sparse solver, eigenvalues by ARPACK, Delaunay's triangulation, a tree of 20,000 points, clusters."""
    import numpy
    import scipy.cluster.hierarchy
    import scipy.ndimage
    import scipy.sparse.linalg
    import scipy.spatial

    size = 2000
    a = scipy.sparse.diags([-1.0, 2.5, -1.0], [-1, 0, 1], (size, size), format="csc")
    step("spsolve")
    results = [scipy.sparse.linalg.spsolve(a, numpy.ones(size)).sum()]
    step("eigsh")
    results += [scipy.sparse.linalg.eigsh(a, k=1, v0=numpy.ones(size))[0][0]]
    points = numpy.random.default_rng(1).random((20_000, 2))
    step("Delaunay")
    results += [len(scipy.spatial.Delaunay(points).simplices)]
    step("KDTree")
    results += [scipy.spatial.cKDTree(numpy.sort(points, axis=0), leafsize=1).query(points)[0].sum()]
    step("clusters")
    tree = scipy.cluster.hierarchy.linkage(numpy.arange(900).reshape(-1, 1) ** 2.0, "single")
    results += [len(scipy.cluster.hierarchy.dendrogram(tree, no_plot=True)["leaves"])]
    step("label")
    results += [scipy.ndimage.label(matrix(500) > 0)[1]]
    return list(map(float, results))


@case(SCIKIT_LEARN, same=close, limit=100)
def models():
    """Principal components, a random forest, logistic regression, clusters and neighbours, fitted and applied."""
    import numpy
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC

    x = numpy.random.default_rng(1).standard_normal((1000, 100))
    y = x[:, 0] > 0
    step("PCA")
    results = [PCA(10).fit(x).explained_variance_.sum()]
    for model in (
        RandomForestClassifier(random_state=1),
        LogisticRegression(),
        KNeighborsClassifier(),
        SVC(),
        LinearRegression(),
    ):
        step(type(model).__name__)
        results.append(model.fit(x, y).score(x, y))
    step("KMeans")
    results.append(KMeans(5, random_state=1, n_init=1).fit(x).inertia_)
    return list(map(float, results))
