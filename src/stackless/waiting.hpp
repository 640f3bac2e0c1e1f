// Choosing the next tasklet when none is runnable: a thread then wakes one that can return from run(), or waits for
// other threads.

#pragma once

#include "stackless/scheduler.hpp"

namespace stackless {

// next_turn() if no tasklet is runnable.
Tasklet* wake_or_wait(Scheduler& s, Tasklet* leaving) noexcept;

// The tasklet to switch to after `leaving` has left the ring: the first one of the ring, put there if need be. It is
// `leaving` itself if no other one can run and it was in run(). nullptr with an exception if it can't leave:
// RuntimeError for a deadlock, or what was raised while waiting for other threads.
inline Tasklet* next_turn(Scheduler& s, Tasklet* leaving) noexcept {
    Tasklet* next = s.runnable.first();
    return next != nullptr ? next : wake_or_wait(s, leaving);
}

// Makes a suspended tasklet of this thread the first of the ring. It is resumed with the exception. Takes ownership of
// the reference. To be called between the steps of a switch.
void raise_in(Scheduler& s, Tasklet* t, PyObject* exception) noexcept;

}  // namespace stackless
