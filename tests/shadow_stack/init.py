#!/usr/bin/python
"""The first process of the system that `python -m tools shadow_stack` starts: runs the checks, then switches off.

/usr/bin/python is python.c.
"""

import ctypes
import os
import platform
import shutil
import signal
import subprocess
import sys
import termios
import traceback
from pathlib import Path

WITH_ONE = {"GLIBC_TUNABLES": "glibc.cpu.x86_shstk=on"}
RDSSPQ = bytes.fromhex("f3480f1ec8")  # by which the package finds out whether there is one
NOTHING = bytes.fromhex("9090909090")
READ_ALL = 3  # of klogctl()
POWER_OFF = 0x4321FEDC

libc = ctypes.CDLL(None)


def say(text):
    print(text, flush=True)
    termios.tcdrain(sys.stdout)  # the kernel's own messages do not wait for their turn


def run(*arguments, site="/site", **environment):
    return subprocess.run(
        [sys.executable, *arguments],
        env={"PYTHONPATH": f"{site}:/packages", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kernel_log():
    buffer = ctypes.create_string_buffer(1 << 20)
    length = libc.klogctl(READ_ALL, buffer, len(buffer))
    return buffer.raw[:length].decode(errors="replace").splitlines()


def the_system_has_shadow_stacks():
    with open("/proc/cpuinfo") as file:
        flags = next(line for line in file if line.startswith("flags"))
    assert "user_shstk" in flags.split(), flags
    return f"Linux {platform.release()}, {platform.python_implementation()} {platform.python_version()}"


def a_process_has_one_if_it_asks():
    program = "print(*(line for line in open('/proc/self/status') if line.startswith('x86_Thread_features:')))"
    without, having = run("-c", program).stdout.split(), run("-c", program, **WITH_ONE).stdout.split()
    assert (without, having) == (["x86_Thread_features:"], ["x86_Thread_features:", "shstk"]), (without, having)
    return " ".join(having)


def a_return_to_another_address_ends_it():
    without, having = run("--changed-return"), run("--changed-return", **WITH_ONE)
    assert (without.returncode, without.stdout) == (0, "arrived\n"), without
    assert (having.returncode, having.stdout) == (-signal.SIGSEGV, ""), having
    return next(line for line in kernel_log() if "control protection" in line)


def a_switch_would_end_it():
    shutil.copytree("/site", "/unchecked")
    [module] = Path("/unchecked/greenlet").glob("_greenlet.*.so")
    code = module.read_bytes()
    assert RDSSPQ in code
    module.write_bytes(code.replace(RDSSPQ, NOTHING))
    before = len(kernel_log())
    program = "import greenlet; print('imported', flush=True); greenlet.greenlet(print).switch('switched')"
    without, having = (run("-c", program, site="/unchecked", **how) for how in ({}, WITH_ONE))
    assert (without.returncode, without.stdout) == (0, "imported\nswitched\n"), without
    assert (having.returncode, having.stdout) == (-signal.SIGSEGV, "imported\n"), having
    return next(line for line in kernel_log()[before:] if "control protection" in line)


def the_import_is_refused():
    done = run("-c", "import greenlet", **WITH_ONE)
    assert done.returncode == 1, done
    reason = done.stdout.strip().splitlines()[-1]
    assert reason.startswith("ImportError: greenlets can't be used in a process with a shadow stack"), done
    return reason


def the_tests_pass():
    done = run("-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "--assert=plain", "/test_shadow_stack.py")
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout, done.stdout
    return done.stdout.strip().splitlines()[-1]


CHECKS = (
    the_system_has_shadow_stacks,
    a_process_has_one_if_it_asks,
    a_return_to_another_address_ends_it,
    a_switch_would_end_it,
    the_import_is_refused,
    the_tests_pass,
)


def main():
    for kind, place in (("proc", "/proc"), ("devtmpfs", "/dev")):
        os.makedirs(place, exist_ok=True)
        libc.mount(kind.encode(), place.encode(), kind.encode(), 0, None)
    os.makedirs("/tmp", exist_ok=True)
    passed = 0
    for check in CHECKS:
        title = check.__name__.replace("_", " ")
        try:
            say(f"{title}: {check()}")
            passed += 1
        except Exception:
            say(f"FAILED: {title}\n{traceback.format_exc()}")
    say(f"{passed} of {len(CHECKS)} checks passed")


try:
    main()
finally:
    libc.reboot(POWER_OFF)
