// Whether arguments fit a function. A generator or coroutine checks when it is made, because it calls its function
// later.

#pragma once

#include "core/message.hpp"

namespace coroutines {

// True unless `callable` is a Python function, or a method that is one, and can't be called with these arguments.
// False with the TypeError that CPython raises for the call. May run a program's code, for example from sys.modules, if
// the arguments do not fit.
bool check_arguments(PyObject* callable, const core::Message& message) noexcept;

}  // namespace coroutines
