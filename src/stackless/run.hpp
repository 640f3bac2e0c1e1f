// run(), and how its watchdog interrupts a tasklet.

#pragma once

#include "stackless/runs.hpp"

namespace stackless {

// The function run(), called by the current tasklet. The parameters in `run` are set. Returns None or the interrupted
// tasklet, or nullptr with an exception.
PyObject* run_others(Scheduler& s, Run& run, interpreter::CallInProgress call) noexcept;

// Interrupts the current tasklet if it has run for too long and may be interrupted. Returns when the tasklet is
// resumed: true, or false with the exception that it is resumed with.
bool interrupt(Scheduler& s) noexcept;

// Interrupts the current tasklet if that was postponed. To be called when the reason for it is gone. Returns what
// interrupt() returns.
inline bool interrupt_if_due(Scheduler& s) noexcept { return !s.interrupt_is_due || interrupt(s); }

}  // namespace stackless
