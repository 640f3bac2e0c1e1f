// What messages and repr() say about tasklets and channels. Nothing here runs Python code.

#pragma once

#include "core/reference.hpp"
#include "stackless/channel.hpp"
#include "stackless/scheduler.hpp"

namespace stackless {

// Slots of the types.
PyObject* repr_of_tasklet(PyObject* self);
PyObject* repr_of_channel(PyObject* self);

// Says which tasklets of a thread wait on which channels, and what for: a sentence that begins with a space and names
// at most ten tasklets. An empty string if none wait; an empty reference, without an exception, if memory ran out.
core::Reference who_waits(const Scheduler& s) noexcept;

// The function of the tasklet that an active greenlet runs: a new reference. nullptr, without an exception, if it runs
// none, or the tasklet is unknown. This is ModuleState::find_function.
PyObject* find_function(const core::ModuleState& module, const core::Activation& activation) noexcept;

}  // namespace stackless
