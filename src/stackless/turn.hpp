// From one tasklet to the next: Scheduler::go_on() and what belongs to it. The other functions that it takes are here.

#pragma once

#include "stackless/scheduler.hpp"

namespace stackless {

// Makes the greenlet that a tasklet will run on. False with an exception if memory ran out.
bool make_greenlet(Scheduler& s, Tasklet* t) noexcept;

// Releases the tasklet that has paused, on the stack of the one that runs next. That may end it.
void drop_parting(Scheduler& s) noexcept;

}  // namespace stackless
