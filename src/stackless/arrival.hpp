// What a tasklet does first when its greenlet is resumed.

#pragma once

#include "stackless/scheduler.hpp"

namespace stackless {

// `received` is what the greenlet was resumed with. Returns the value that the tasklet is resumed with, or nullptr with
// an exception.
PyObject* arrive(Scheduler& s, Tasklet* self, PyObject* received) noexcept;

// Makes a tasklet the current one out of its turn, whichever chain it is in.
void take_turn(Scheduler& s, Tasklet* t) noexcept;

}  // namespace stackless
