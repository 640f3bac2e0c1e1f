"""Finds the stack that a function runs on."""

import ctypes
import platform
import sys
import threading

import pytest

from greenlet import greenlet

libc = None if sys.platform == "win32" else ctypes.CDLL(None)

# Functions of the C library that store the stack pointer, and where: glibc's setjmp() encrypts it, musl has no
# getcontext(). Windows tells the bounds of the stack that runs, not of the thread's own:
# tests/stackful/windows_test.cpp looks there.
STORING = {
    "getcontext": {"x86_64": 160, "aarch64": 432},
    "setjmp": {"x86_64": 48, "aarch64": 104},
}
STORES = next((name for name in STORING if hasattr(libc, name)), None)
CAN_TELL_STACKS = STORES is not None and platform.machine() in STORING[STORES]

needs_stack_pointer = pytest.mark.skipif(
    not CAN_TELL_STACKS, reason="no function of the C library tells the stack pointer here"
)


def stack_pointer():
    """Return the current stack pointer."""
    stored = ctypes.create_string_buffer(8192)
    getattr(libc, STORES)(stored)
    offset = STORING[STORES][platform.machine()]
    return int.from_bytes(stored.raw[offset : offset + 8], sys.byteorder)


def thread_stack():
    """Return the range of addresses of the running thread's own stack, from the system."""
    attributes = ctypes.create_string_buffer(256)
    low, size = ctypes.c_void_p(), ctypes.c_size_t()
    thread = ctypes.c_void_p(threading.get_ident())
    assert libc.pthread_getattr_np(thread, attributes) == 0
    assert libc.pthread_attr_getstack(attributes, ctypes.byref(low), ctypes.byref(size)) == 0
    assert libc.pthread_attr_destroy(attributes) == 0
    return range(low.value, low.value + size.value)


def is_on_thread_stack():
    return stack_pointer() in thread_stack()


def in_greenlet(function, *args):
    return greenlet(function).switch(*args)
