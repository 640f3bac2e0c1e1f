// A function written in C that is a coroutine function to `inspect`, and so to event loops and frameworks: with the attributes of a
// function of the language, `__code__` among them, which that module goes by. Functions in C have none.

#pragma once

#include "core/module_state.hpp"

namespace aio {

// A new one, without attributes but its name: a new reference, or nullptr with an exception.
PyObject* make_function(core::ModuleState& state, const char* name, vectorcallfunc call) noexcept;

// The class. A new reference, or nullptr with an exception.
PyTypeObject* make_function_type() noexcept;

}  // namespace aio
