// The active tasklets of a thread: those that have begun to run and have not ended.

#pragma once

#include "stackless/scheduler.hpp"

namespace stackless {

void add_active(Scheduler& s, Tasklet* t) noexcept;

void remove_active(Scheduler& s, Tasklet* t) noexcept;

// remove_active(), called while the lock is held.
void remove_active_locked(Scheduler& s, Tasklet* t) noexcept;

}  // namespace stackless
