// A function written in C that `inspect`, and so event loops and frameworks, take for a coroutine function. It can have
// the attributes of a Python function that `inspect` looks at, such as `__code__`; ordinary C functions can't.

#pragma once

#include "core/module_state.hpp"

namespace aio {

// A new function, with no attributes except its name: a new reference, or nullptr with an exception.
PyObject* make_function(core::ModuleState& state, const char* name, vectorcallfunc call) noexcept;

// The class. A new reference, or nullptr with an exception.
PyTypeObject* make_function_type() noexcept;

}  // namespace aio
