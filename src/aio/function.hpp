// Functions written in C that `inspect`, and with it event loops and frameworks, takes for coroutine functions. Unlike
// ordinary C functions they can have the attributes of a Python function that `inspect` looks at, such as `__code__`.

#pragma once

#include "core/module_state.hpp"

namespace aio {

// A new function, with no attributes except its name: a new reference, or nullptr with an exception.
PyObject* make_function(core::ModuleState& state, const char* name, vectorcallfunc call) noexcept;

// The class. A new reference, or nullptr with an exception.
PyTypeObject* make_function_type() noexcept;

}  // namespace aio
