// Who owns a tasklet: the chain it is in, and its greenlet unless the tasklet is paused. The lock is held in all these
// functions.

#pragma once

#include "stackless/scheduler.hpp"

namespace stackless {

// Drops the greenlet's reference to a paused tasklet, if that is possible. The caller owns another reference.
void drop_ownership(Tasklet* t) noexcept;

// Gives the greenlet its reference again, if it was dropped.
void restore_ownership(Tasklet* t) noexcept;

// Unlinks a tasklet from the chain it is in, if any; its greenlet owns it then. Passes a reference to the caller.
Tasklet* unlink(Tasklet* t) noexcept;

}  // namespace stackless
