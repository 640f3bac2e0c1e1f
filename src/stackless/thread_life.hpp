// The life of a thread's scheduler: Scheduler::make(), Scheduler::of_thread(), and its end.

#pragma once

#include "stackless/scheduler.hpp"

namespace stackless {

// Has the active tasklets of the running thread run their `finally` blocks, because it or the interpreter ends.
void kill_active(Scheduler& s) noexcept;

// The thread ends. Called while it can still run Python code, unless the interpreter or another thread ends it.
void end_thread(Scheduler& s) noexcept;

}  // namespace stackless
