// Who owns a tasklet: the chain it is in, and its greenlet unless it is paused.

#pragma once

#include "stackless/scheduler.hpp"

namespace stackless {

// Drops the reference that a paused tasklet's greenlet holds to it, if that is possible. The lock is held; the caller
// has a reference.
void unhold(Tasklet* t) noexcept;

// Gives its greenlet the reference again. The lock is held.
void hold(Tasklet* t) noexcept;

// Takes a tasklet out of the chain it is in, and has it held. The lock is held. Gives the caller a reference.
Tasklet* unlink(Tasklet* t) noexcept;
}  // namespace stackless
