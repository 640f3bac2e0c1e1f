// greenlet.generators: functions that yield values to an iterating caller from any call depth.

#pragma once

#include "core/module_state.hpp"

namespace generators {

// Adds this layer to the module greenlet._greenlet. 0, or -1 with an exception.
int add_to(PyObject* module, core::ModuleState& module_state) noexcept;

}  // namespace generators
