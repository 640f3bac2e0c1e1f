// The switch from one tasklet to the next.
//
// A switch takes three steps. Between them the ring of runnable tasklets is not in order, so no other code may run
// there:
//
//     Runnable::remove()   unlinks the current tasklet, unless it stays runnable
//     next_turn()          chooses the next tasklet, and puts it first (waiting.hpp)
//     switch_tasklets()    switches; returns when the tasklet that called it is resumed
//
// The value that a tasklet is resumed with lies in its `outcome`; the value that is passed to its greenlet says
// nothing. Other code than the scheduler can resume a greenlet, above all to kill it. So a tasklet that is resumed
// checks whether it is the current one (arrive()). If not, it makes itself the current one, and the previous one is the
// next to run.

#pragma once

#include "stackless/scheduler.hpp"
#include "stackless/waiting.hpp"

namespace stackless {

// Switches from `from`, the current tasklet, to `to`, the first one of the ring. Returns the value that `from` is
// resumed with, or nullptr with an exception, also if there was no memory to start `to`.
PyObject* switch_tasklets(Scheduler& s, Tasklet* from, Tasklet* to, interpreter::CallInProgress call) noexcept;

// The same from a tasklet that has left the ring and is paused: only references from elsewhere keep it alive. Takes
// ownership of the ring's reference to it.
PyObject* switch_from_paused(Scheduler& s, Tasklet* from, Tasklet* to, interpreter::CallInProgress call) noexcept;

// Releases two references, which may be nullptr, and then switches to the next tasklet. Releasing them may run any
// code, so the next tasklet is chosen after that.
PyObject* release_and_switch(Scheduler& s, Tasklet* from, PyObject* unused, PyObject* also_unused,
                             interpreter::CallInProgress call) noexcept;

// Pauses the current tasklet: it leaves the ring, enters no other chain, and the next tasklet runs. The greenlet of the
// paused tasklet still owns it.
PyObject* pause_current(Scheduler& s, interpreter::CallInProgress call) noexcept;

// The same, but only references from elsewhere keep the tasklet alive.
PyObject* pause_unowned(Scheduler& s, interpreter::CallInProgress call) noexcept;

// --- for the body of a tasklet ---

// Creates the greenlet that a tasklet will run on. False with an exception if memory ran out.
bool make_greenlet(Scheduler& s, Tasklet* t) noexcept;

// Releases the tasklet that has paused, on the stack of the next one. That may end the tasklet.
void release_paused(Scheduler& s) noexcept;

// The first tasklet of the ring, which other threads may have changed up to now. They can't unlink the tasklet after
// this call. nullptr with an exception if there is none.
Tasklet* reserve_next(Scheduler& s, Tasklet* from) noexcept;

// Does what the watchdog, the schedule callback and the trace functions need before a switch. Returns the tasklet to
// switch to, or nullptr with an exception if there is none any more.
Tasklet* run_switch_hooks(Scheduler& s, Tasklet* from, Tasklet* to) noexcept;

// The last check before a switch from `from` to `to`, with run_switch_hooks() unless `is_plain`. Returns the tasklet to
// switch to, or nullptr with an exception if there is none any more.
inline Tasklet* prepare_switch(Scheduler& s, Tasklet* from, Tasklet* to, bool is_plain) noexcept {
    if constexpr (!interpreter::has_gil) {
        to = reserve_next(s, from);
    }
    if (!is_plain && to != nullptr) [[unlikely]] {
        to = run_switch_hooks(s, from, to);
    }
    if constexpr (!interpreter::has_gil) {
        return to != nullptr ? reserve_next(s, from) : nullptr;
    }
    // Code that ran since `to` was chosen, here or in another thread, may have ended it, moved it to another chain or
    // put another one first.
    return to == nullptr || s.runnable.first() == to ? to : next_turn(s, from);
}

}  // namespace stackless
