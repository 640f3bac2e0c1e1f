// greenlet.aio: ordinary functions that wait for awaitables, in the event loop that runs them.

#pragma once

#include "core/module_state.hpp"

namespace aio {

// Adds this layer to the module greenlet._greenlet. 0, or -1 with an exception.
int add_to(PyObject* module, core::ModuleState& module_state) noexcept;

}  // namespace aio
