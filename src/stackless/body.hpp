// What the greenlet of a tasklet runs, from the tasklet's first turn to its end.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace stackless {

// run_tasklet(tasklet), with the signature of METH_FASTCALL.
PyObject* run_tasklet(PyObject*, PyObject* const* args, Py_ssize_t count) noexcept;

}  // namespace stackless
