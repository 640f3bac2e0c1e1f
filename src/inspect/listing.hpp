// The active greenlets of an interpreter, and what each of them is. For greenlet.inspect.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace inspect {

// _greenlets(thread=None)
PyObject* greenlets(PyObject*, PyObject* const* args, Py_ssize_t count) noexcept;

// _place(greenlet)
PyObject* place(PyObject*, PyObject* greenlet) noexcept;

}  // namespace inspect
