// CPython 3.11 to 3.15: its headers, including the internal ones of frames and thread states, in a form that C++ can
// read.
//
// Other layers include this for Python.h. None of them looks inside a frame or a thread state, or names a version.

#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cassert>
#include <cstddef>
#include <cstdint>

#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#endif
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#if PY_VERSION_HEX >= 0x030E0000
#include <internal/pycore_interpframe_structs.h>
#ifdef Py_GIL_DISABLED
#include <internal/pycore_pystate.h>
#endif
#include <internal/pycore_pythonrun.h>
#include <internal/pycore_tstate.h>
#else
#include <internal/pycore_frame.h>
#endif
#pragma GCC diagnostic pop

static_assert(PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x03100000,
              "src/interpreter knows CPython 3.11 to 3.15: read the thread state of this version, then add it");
