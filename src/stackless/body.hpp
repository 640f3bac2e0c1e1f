// What the greenlet of a tasklet runs: the life of a tasklet from its first turn to its end.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace stackless {

// run_tasklet(tasklet), as CPython calls it.
PyObject* run_tasklet(PyObject*, PyObject* const* args, Py_ssize_t count) noexcept;

}  // namespace stackless
