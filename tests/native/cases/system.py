"""The C library and the operating system: name lookup, processes, threads, loading libraries, compression, numbers."""

from case import CPYTHON, case, pypi
from journal import step

CFFI = pypi("cffi")


@case(CPYTHON)
def names_and_users():
    """getaddrinfo(), users and groups, time zones and codecs, for which the C library needs large buffers."""
    import grp
    import os
    import pwd
    import socket
    import time

    results = []
    for name in ("localhost", "127.0.0.1", "::1"):
        step(name)
        try:
            results.append(bool(socket.getaddrinfo(name, 80)))
        except socket.gaierror:
            results.append("gaierror")
    step("users")
    results += [pwd.getpwuid(0).pw_name, grp.getgrgid(0).gr_name, len(pwd.getpwall()) > 1]
    step("time")
    os.environ["TZ"] = "Europe/Zurich"
    time.tzset()
    return [*results, time.strftime("%A" * 20, time.gmtime(0)), "\xe4".encode("cp1252").decode("utf-16", "replace")]


@case(CPYTHON)
def processes_and_threads():
    """A subprocess, fork(), a pool of threads and a pool of processes are started."""
    import os
    import subprocess
    import sys
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
    from multiprocessing import get_context

    results = [subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True, text=True).stdout]
    step("fork")
    child = os.fork()
    if child == 0:
        os._exit(7)
    results.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    step("threads")
    with ThreadPoolExecutor(4) as pool:
        results.append(sum(pool.map(len, ["a"] * 100)))
    step("processes")
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        results.append(sum(pool.map(abs, [-1] * 10)))
    return results


@case(CPYTHON)
def loading_libraries():
    """Extension modules and shared libraries are loaded, with their constructors."""
    import ctypes
    import importlib.util

    step("modules")
    names = [
        name
        for name in (
            "_ssl",
            "_sqlite3",
            "_decimal",
            "_lzma",
            "_bz2",
            "_elementtree",
            "_asyncio",
            "unicodedata",
            "_curses",
        )
        if importlib.util.find_spec(name)
    ]
    for name in names:
        importlib.import_module(name)
    step("libraries")
    loaded = [
        ctypes.CDLL(name) is not None for name in ("libm.so.6", "libpthread.so.0", "libresolv.so.2", "libstdc++.so.6")
    ]
    libm = ctypes.CDLL("libm.so.6")
    libm.pow.restype, libm.pow.argtypes = ctypes.c_double, [ctypes.c_double] * 2
    return [len(names), *loaded, libm.pow(2, 10)]


@case(CPYTHON)
def compression_and_hashes():
    """Compression by each module, hashes, and key derivation that needs memory."""
    import bz2
    import hashlib
    import lzma
    import zlib

    data = bytes(range(256)) * 4000
    results = []
    for module in (zlib, bz2, lzma):
        step(module.__name__)
        results.append(module.decompress(module.compress(data)) == data)
    step("hashes")
    results += [hashlib.new(name, data).hexdigest()[:8] for name in ("md5", "sha512", "sha3_256", "blake2b")]
    return [
        *results,
        hashlib.scrypt(b"password", salt=b"salt", n=2**12, r=8, p=1).hex()[:8],
        hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 10_000).hex()[:8],
    ]


@case(CPYTHON)
def large_numbers():
    """Integers of 100,000 digits, decimals and fractions, and a format with 1,000 fields."""
    import decimal
    import fractions
    import sys

    sys.set_int_max_str_digits(0)
    decimal.getcontext().prec = 5000
    number = 7**100_000
    return [
        len(str(number)),
        int(str(number)) == number,
        str(decimal.Decimal(2).sqrt())[-5:],
        str(decimal.Decimal(1).exp())[-5:],
        str(sum(fractions.Fraction(1, n) for n in range(1, 500)))[-5:],
        len(("{} " * 1000).format(*range(1000))),
    ]


@case(CFFI)
def callbacks_of_cffi():
    """A callback made by cffi is called by qsort(), which it calls again, 100 deep."""
    import cffi

    ffi = cffi.FFI()
    ffi.cdef("void qsort(void *, size_t, size_t, int (*)(const void *, const void *));")
    libc = ffi.dlopen(None)
    reached = []

    @ffi.callback("int(const void *, const void *)")
    def compare(a, b):
        reached.append(len(reached))
        if len(reached) < 100:
            libc.qsort(ffi.new("int[]", [2, 1]), 2, 4, compare)
        return 0

    libc.qsort(ffi.new("int[]", [2, 1]), 2, 4, compare)
    return len(reached)
