// The calls of run() in progress. In each of them a tasklet waits until no other one is runnable, or the time is over.

#pragma once

#include "stackless/scheduler.hpp"

namespace stackless {

// A call of run() in progress. Lies on the stack of its caller.
struct Run {
    Tasklet* tasklet;       // owned; the one that called it
    Run* outer;             // the previous call in progress, of any tasklet of the thread that has not ended
    bool blocks_thread;     // wait for other threads when no tasklet is runnable
    std::int64_t timeout;   // nanoseconds that a tasklet may run without a switch; 0: no limit
    bool is_total;          // `timeout` is for all tasklets together
    bool is_soft;           // do not interrupt, but end at the next switch
    bool has_alarm;         // Python code can be interrupted (watchdog.hpp)
    std::int64_t deadline;  // on the monotonic clock
    Tasklet* interrupted;   // owned; it ran for too long
};

// The tasklet that called run() last, or the main one. It is resumed when no other one can run, and errors of tasklets
// are raised in it.
Tasklet* fallback_tasklet(const Scheduler& s) noexcept;

// The watchdog at a switch: if the time is up, puts the tasklet that called run(timeout) first. Returns the tasklet to
// switch to: `to`, or that one.
Tasklet* check_timeout(Scheduler& s, Tasklet* from, Tasklet* to) noexcept;

// To be called when a run() returns. If calls that began later are still in progress, makes their tasklets runnable, so
// that they return too.
void end_run(Scheduler& s, const Run& run) noexcept;

// Forgets the calls of run() that an ended tasklet made. Greenlets of the tasklet may still be in these calls.
void forget_runs(Scheduler& s, const Tasklet* t) noexcept;

}  // namespace stackless
