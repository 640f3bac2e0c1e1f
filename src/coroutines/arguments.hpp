// Do arguments fit a function? To be asked when a generator or coroutine is made: the function is called later.

#pragma once

#include "core/message.hpp"

namespace coroutines {

// If it is a Python function, or a method that is one, and can't be called with these arguments: false, with the TypeError that CPython
// raises for it. True for all other callables. May run what a program has put in place of sys.modules and such, if they do not fit.
bool check_arguments(PyObject* callable, const core::Message& message) noexcept;

}  // namespace coroutines
