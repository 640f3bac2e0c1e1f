// What a thread does when none of its tasklets is runnable: it wakes one that can return, or waits for other threads.

#include <utility>

#include "core/reference.hpp"
#include "interpreter/pending_exception.hpp"
#include "interpreter/threading/threads.hpp"
#include "stackless/describe.hpp"
#include "stackless/ownership.hpp"
#include "stackless/run.hpp"
#include "stackless/scheduler.hpp"

namespace stackless {

using core::Reference;
using interpreter::Holding;

namespace {

// What is raised if nobody can go on: in the tasklet that would have to wait; and in one that waits when the last other
// one has ended.
constexpr const char* deadlock = "Deadlock: the last runnable tasklet cannot be blocked.";
constexpr const char* nobody_sends = "the main tasklet is receiving without a sender available.";
constexpr const char* nobody_receives = "the main tasklet is sending without a receiver available.";

// How long to wait for other threads before looking again whether there is any that could wake this one.
constexpr PY_TIMEOUT_T patience_in_microseconds = 50'000;

// Raises a RuntimeError that says why the thread is stuck, and who waits for what.
void raise_stuck(const Scheduler& s, const char* message) noexcept {
    Reference waiting = who_waits(s);
    if (waiting) {
        PyErr_Format(PyExc_RuntimeError, "%s%U", message, waiting.get());
    }
    else {
        PyErr_SetString(PyExc_RuntimeError, message);
    }
}

}  // namespace

Tasklet* Scheduler::wake_somebody(Tasklet* leaving) noexcept {
    set_switching(true);  // handlers of signals may run here
    bool has_ended = !leaving->is_active;
    for (;;) {
        Tasklet* candidate = sleeper();
        Run* run = runs;
        bool in_run = run != nullptr;
        bool is_stuck = !in_run && (candidate == leaving || candidate->chain == Chain::channel);
        // A run() that blocks the thread returns nevertheless when a tasklet ends: that may be what its caller waits
        // for.
        if ((is_stuck || (in_run && run->blocks_thread && !has_ended)) && somebody_may_run()) {
            if (!wait_for_others()) {
                return nullptr;
            }
            if (!runnable.is_empty()) {
                return runnable.first();
            }
            continue;
        }
        if (is_stuck && !has_ended) {
            raise_stuck(*this, deadlock);
            return nullptr;
        }
        if (is_stuck) {
            raise_stuck(*this, candidate->sends ? nobody_receives : nobody_sends);
            raise_in(candidate, interpreter::take_exception());
            if (!runnable.is_empty()) {  // the candidate, unless dropping the value it had has ended it
                return runnable.first();
            }
            continue;
        }
        Holding lock(tasklets_lock);
        if (runnable.is_empty()) {
            runnable.append(unlink(candidate));
        }
        return runnable.first();
    }
}

// Has another thread made a tasklet of this one runnable, or could one?
bool Scheduler::somebody_may_run() noexcept {
    Py_ssize_t others = -1;
    interpreter::for_each_thread([&others](unsigned long) { ++others; });
    Holding lock(tasklets_lock);
    if (!runnable.is_empty() || layer_object(*thread).has_ended) {
        return !runnable.is_empty();
    }
    for (Scheduler* s = state->schedulers; s != nullptr; s = s->next_scheduler) {
        if (s != this && s->waits && s->runnable.is_empty()) {
            --others;
        }
    }
    return others > 0;
}

bool Scheduler::wait_for_others() noexcept {
    {
        Holding lock(tasklets_lock);
        if (!runnable.is_empty()) {
            return true;
        }
        waits = true;
    }
    bool is_acquired;
    Py_BEGIN_ALLOW_THREADS is_acquired = PyThread_acquire_lock_timed(wake_up, patience_in_microseconds, 1) ==
                                         PY_LOCK_ACQUIRED;
    Py_END_ALLOW_THREADS {
        Holding lock(tasklets_lock);
        waits = false;
        if (is_woken && !is_acquired) {
            PyThread_acquire_lock(wake_up, NOWAIT_LOCK);
        }
        is_woken = false;
    }
    return PyErr_CheckSignals() == 0;
}

void Scheduler::raise_in(Tasklet* t, PyObject* exception) noexcept {
    Outcome old;
    Holding lock(tasklets_lock);
    old = t->outcome.exchange(Outcome::error(exception));
    runnable.prepend(unlink(t));
}

}  // namespace stackless
