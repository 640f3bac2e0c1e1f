// greenlet.aio: ordinary functions that wait for awaitables, in the event loop that runs them.

#pragma once

#include "core/module_state.hpp"

namespace aio {

// Makes the module greenlet._greenlet's part of this layer. 0, or -1 with an exception.
int add_to(PyObject* module, core::ModuleState& state) noexcept;

// Lets go of it.
void release(core::ModuleState& state) noexcept;

}  // namespace aio
