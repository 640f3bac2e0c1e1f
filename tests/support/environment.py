"""Facts about the interpreter and the tools that tests run under."""

import ctypes
import importlib.util
import os
import sys
import sysconfig
from pathlib import Path

import pytest

from greenlet import _greenlet

ROOT = Path(__file__).resolve().parents[2]

IS_FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
# CPython 3.13t never frees functions; once a second thread has started, it never frees classes either.
KEEPS_CLASSES = IS_FREE_THREADED and sys.version_info < (3, 14)
IS_DEBUG_BUILD = hasattr(sys, "gettotalrefcount")
IS_WINDOWS = sys.platform == "win32"
HAS_ADDRESS_SANITIZER = not IS_WINDOWS and hasattr(ctypes.CDLL(None), "__asan_init")
# False where a switch is the C library's swapcontext(), which an unwinder does not pass.
HAS_OWN_SWITCH = _greenlet._about()["switch"] != "ucontext"
ADDRESSES_ARE_SCARCE = sys.maxsize < 1 << 32
# The package does not use it, but many clients do.
HAS_SSL = importlib.util.find_spec("_ssl") is not None
NEEDS_SSL = pytest.mark.skipif(not HAS_SSL, reason="the client needs ssl, which this CPython lacks")
NEEDS_64_BIT_ADDRESSES = pytest.mark.skipif(
    ADDRESSES_ARE_SCARCE, reason="addresses have 32 bits, and stacks another size"
)
RUNS_UNDER_VALGRIND = "vgpreload" in os.environ.get("LD_PRELOAD", "")
DAEMON_THREADS_END_WELL = pytest.mark.skipif(
    HAS_ADDRESS_SANITIZER,
    reason="CPython's daemon threads read freed memory when the process ends, also without greenlets",
)

# How the C library, and with it repr(), writes an address: of any object, and of a certain one.
ADDRESS = "0x[0-9A-F]{16}" if IS_WINDOWS else "0x[0-9a-f]+"


def address_of(object):
    return f"0x{id(object):016X}" if IS_WINDOWS else f"{id(object):#x}"


# How often a test lets threads race. With a GIL few repetitions are enough.
RACES = 100 if IS_FREE_THREADED else 10
# The factor by which a program may be slower under a tool.
PATIENCE = 30 if RUNS_UNDER_VALGRIND else 4 if HAS_ADDRESS_SANITIZER else 1
