// The layer as the extension module sees it.

#pragma once

#include "core/module_state.hpp"
#include "stackless/state.hpp"

namespace stackless {

// Adds this layer to the module greenlet._greenlet. 0, or -1 with an exception.
int add_to(PyObject* module, core::ModuleState& module_state) noexcept;

}  // namespace stackless
