// greenlet.generators: functions that give values to an iterating caller from any call depth.

#pragma once

#include "core/module_state.hpp"

namespace generators {

// Makes the module greenlet._greenlet's part of this layer. 0, or -1 with an exception.
int add_to(PyObject* module, core::ModuleState& state) noexcept;

// Lets go of it.
void release(core::ModuleState& state) noexcept;

}  // namespace generators
