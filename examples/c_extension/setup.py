"""Builds the example: `pip install --no-build-isolation .`, with greenlet and setuptools installed."""

from setuptools import Extension, setup

import greenlet

# The package has its header beside its modules, so `#include <greenlet/greenlet.h>` is found from one folder above.
include = greenlet.__path__[0] + "/.."

setup(
    name="every",
    version="1.0",
    ext_modules=[Extension("every", ["every.c"], include_dirs=[include])],
    install_requires=["greenlet"],
)
