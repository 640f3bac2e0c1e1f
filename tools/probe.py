"""Describes the CPython that runs this file, in one line, if the project can be built and tested with it.

The line has the interpreter's name (3.14, 3.14-dbg, 3.13t), sys.hexversion, its folder in build/ and the path of
its executable. Nothing is printed for other versions, virtual environments, and interpreters without headers or
without a way to create a virtual environment.
"""

import importlib.util
import os
import sys
import sysconfig

minor = sys.version_info[:2]
flags = sys.abiflags
if (
    sys.implementation.name == "cpython"
    and (3, 11) <= minor <= (3, 15)
    and sys.prefix == sys.base_prefix
    and os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
    and any(map(importlib.util.find_spec, ("ensurepip", "pip")))
):
    name = f"{minor[0]}.{minor[1]}" + ("t" if "t" in flags else "") + ("-dbg" if "d" in flags else "")
    print(name, sys.hexversion, f"python{sys.version.split()[0]}{flags}", sys.executable)
