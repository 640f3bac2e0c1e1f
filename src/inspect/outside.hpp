// The functions behind greenlet.inspect.dump_on_signal() and `python -m greenlet ps`, in greenlet._greenlet.outside.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace inspect {

// Adds them to the extension module, and does what the environment asks for. 0, or -1 with an exception.
int add_outside_to(PyObject* module) noexcept;

}  // namespace inspect
