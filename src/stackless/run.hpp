// run(): a tasklet waits until no other one is runnable, or the time for them is over.

#pragma once

#include "stackless/scheduler.hpp"

namespace stackless {

// A call of run() in progress. Lies on the stack of its caller.
struct Run {
    Tasklet* tasklet;       // owned; who called it
    Run* outer;             // the one before, of any tasklet of the thread that has not ended
    bool blocks_thread;     // wait for other threads when there is nothing to run
    std::int64_t timeout;   // nanoseconds that a tasklet may run without a switch; 0: any
    bool is_total;          // `timeout` is for all of them together
    bool is_soft;           // do not interrupt, end at the next switch
    bool has_alarm;         // Python code can be interrupted (watchdog.hpp)
    std::int64_t deadline;  // on the monotonic clock
    Tasklet* interrupted;   // owned; it ran for too long
};

// The function run(), for the current tasklet. `run` has its parameters filled in. None, the interrupted tasklet, or
// nullptr with an exception.
PyObject* run_others(Scheduler& s, Run& run, interpreter::CallInProgress call) noexcept;

}  // namespace stackless
