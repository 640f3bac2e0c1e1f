// Finds threads that have not switched for too long. For greenlet.inspect.watch().

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace inspect {

// _start_watch(nanoseconds, function)
PyObject* start_watch(PyObject*, PyObject* const* args, Py_ssize_t count) noexcept;

// _wait_for_blocks(watch)
PyObject* wait_for_blocks(PyObject*, PyObject* watch) noexcept;

// _stop_watch(watch)
PyObject* stop_watch(PyObject*, PyObject* watch) noexcept;

}  // namespace inspect
