// The callable that generator() makes of a function: calling it makes a generator.

#pragma once

#include "core/module_state.hpp"

namespace generators {

// The class. A new reference, or nullptr with an exception.
PyTypeObject* make_function_type() noexcept;

}  // namespace generators
