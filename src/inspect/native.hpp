// The calls of C functions on a greenlet's stack. For greenlet.inspect.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace inspect {

// _native_stack(greenlet)
PyObject* native_stack(PyObject*, PyObject* greenlet) noexcept;

}  // namespace inspect
