// What messages and repr() say of tasklets and channels. Nothing here runs code of a program.

#pragma once

#include "core/reference.hpp"
#include "stackless/channel.hpp"
#include "stackless/scheduler.hpp"

namespace stackless {

// Slots of the types.
PyObject* repr_of_tasklet(PyObject* self);
PyObject* repr_of_channel(PyObject* self);

// Which tasklets of a thread wait on which channels, to do what: a sentence, with a space before it, that names ten of
// them at most. Empty if there are none, or memory ran out.
core::Reference who_waits(const Scheduler& s) noexcept;

}  // namespace stackless
