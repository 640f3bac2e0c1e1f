// contextvars.Context objects of tasklets.

#pragma once

#include "stackless/scheduler.hpp"

namespace stackless {

// The context of the running greenlet: a new reference. Made if there is none yet; nullptr with an exception if memory
// ran out.
PyObject* running_context() noexcept;

// Sets the contextvars.Context that the tasklet runs in. False with an exception.
bool set_context(Tasklet& t, PyObject* context) noexcept;

// The contextvars.Context of a tasklet that is not the current one of the running thread: a new reference. Made if
// there is none yet. nullptr with an exception.
PyObject* get_context(Tasklet& t) noexcept;

}  // namespace stackless
