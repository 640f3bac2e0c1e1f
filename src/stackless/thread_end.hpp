// What happens to tasklets and their scheduler when the thread ends.

#pragma once

#include "stackless/scheduler.hpp"

namespace stackless {

// Kills the active tasklets of the running thread, so that their `finally` blocks run. To be called when the thread or
// the interpreter is about to end.
void kill_active(Scheduler& s) noexcept;

// Ends the scheduler because its thread ends. Called while the thread can still run Python code, unless the interpreter
// or another thread ends it.
void end_thread(Scheduler& s) noexcept;

}  // namespace stackless
