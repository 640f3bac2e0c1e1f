// What a tasklet does first when its greenlet is resumed.

#pragma once

#include "stackless/scheduler.hpp"

namespace stackless {

// `received` is what the greenlet was resumed with. Returns the value that the tasklet is resumed with, or nullptr with
// an exception.
PyObject* arrive(Scheduler& s, Tasklet* self, PyObject* received) noexcept;

// Notes where a tasklet goes on.
void set_greenlet(Tasklet* t, PyGreenlet* g) noexcept;

}  // namespace stackless
