"""Where the processor keeps a shadow stack, the import is refused."""

import os
import platform
import subprocess
import sys

import pytest

# The setting of glibc by which a process gets one, and the system call that says whether it has.
KINDS = {
    "aarch64": ("glibc.cpu.aarch64_gcs=3", "libc.prctl(74, pointer, 0, 0, 0)"),  # PR_GET_SHADOW_STACK_STATUS
    "x86_64": ("glibc.cpu.x86_shstk=on", "libc.syscall(158, 0x5005, pointer)"),  # arch_prctl: ARCH_SHSTK_STATUS
}
HAS_ONE = """
import ctypes
libc = ctypes.CDLL(None)
status = ctypes.c_ulong(0)
pointer = ctypes.byref(status)
print({call} == 0 and status.value & 1)
"""
IMPORT = """
try:
    import greenlet
except ImportError as error:
    print(error)
else:
    print(greenlet.greenlet(lambda: "switched").switch())
"""


def run(program, setting=""):
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "GLIBC_TUNABLES": setting},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_import_is_refused():
    if platform.machine() not in KINDS:
        pytest.skip("Linux has no shadow stacks on this processor")
    setting, call = KINDS[platform.machine()]
    if run(HAS_ONE.format(call=call), setting).stdout.strip() != "1":
        pytest.skip("the processor, the system, the C library or QEMU (up to 10.1) has no shadow stacks")
    refused = run(IMPORT, setting)
    assert refused.returncode == 0, refused.stderr
    assert "shadow stack" in refused.stdout
    assert "GLIBC_TUNABLES" in refused.stdout


def test_import_works_without_one():
    assert run(IMPORT).stdout.strip() == "switched"
