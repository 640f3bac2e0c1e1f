// The parts of greenlet.inspect that are written in C++.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace inspect {

// Adds them to the extension module, as `_greenlet.inspect` and `_greenlet.outside`. 0, or -1 with an exception.
int add_to(PyObject* module) noexcept;

}  // namespace inspect
