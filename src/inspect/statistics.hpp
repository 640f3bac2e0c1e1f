// Counts of greenlets and switches, and the memory that stacks take. For greenlet.inspect.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace inspect {

// _thread_counts()
PyObject* thread_counts(PyObject*, PyObject*) noexcept;

// _stack_usage()
PyObject* stack_usage(PyObject*, PyObject*) noexcept;

}  // namespace inspect
