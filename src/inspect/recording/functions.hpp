// The functions with which python/greenlet/_recording.py records switches.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace inspect::recording {

// start(descriptor, size), of METH_VARARGS, and stop(number), of METH_O.
PyObject* start(PyObject*, PyObject* args) noexcept;
PyObject* stop(PyObject*, PyObject* number) noexcept;

}  // namespace inspect::recording
