#include "stackless/waiting.hpp"

#include <utility>

#include "core/reference.hpp"
#include "interpreter/pending_exception.hpp"
#include "interpreter/threading/threads.hpp"
#include "stackless/describe.hpp"
#include "stackless/ownership.hpp"
#include "stackless/runs.hpp"

namespace stackless {

using core::Reference;
using interpreter::Holding;

namespace {

// Messages of the RuntimeError that is raised if no tasklet can run. The first one is for the tasklet that would have
// to wait; the others are for the fallback tasklet, if it waits on a channel when the last other tasklet has ended.
constexpr const char* deadlock = "Deadlock: the last runnable tasklet cannot be blocked.";
constexpr const char* nobody_sends = "the main tasklet is receiving without a sender available.";
constexpr const char* nobody_receives = "the main tasklet is sending without a receiver available.";

// How often a waiting thread checks that there are other threads that could wake it.
constexpr PY_TIMEOUT_T check_interval_in_microseconds = 50'000;

// Raises a RuntimeError that says why the thread is stuck, and which tasklets wait on which channels.
void raise_stuck(const Scheduler& s, const char* message) noexcept {
    Reference waiting = who_waits(s);
    if (waiting) {
        PyErr_Format(PyExc_RuntimeError, "%s%U", message, waiting.get());
    }
    else {
        PyErr_SetString(PyExc_RuntimeError, message);
    }
}

// True if another thread has made a tasklet of this one runnable, or could do so.
bool may_be_woken(Scheduler& s) noexcept {
    Py_ssize_t others = -1;
    interpreter::for_each_thread([&others](unsigned long) { ++others; });
    Holding lock(tasklets_lock);
    if (!s.runnable.is_empty() || layer_object(*s.thread).has_ended) {
        return !s.runnable.is_empty();
    }
    for (Scheduler* other = s.state->schedulers; other != nullptr; other = other->next_scheduler) {
        if (other != &s && other->waits && other->runnable.is_empty()) {
            --others;
        }
    }
    return others > 0;
}

// Waits until another thread makes a tasklet of this one runnable, but not longer than the interval above. False with
// an exception if the handler of a signal raised one.
bool wait_for_other_threads(Scheduler& s) noexcept {
    {
        Holding lock(tasklets_lock);
        if (!s.runnable.is_empty()) {
            return true;
        }
        s.waits = true;
    }
    bool is_acquired;
    Py_BEGIN_ALLOW_THREADS
    is_acquired = PyThread_acquire_lock_timed(s.wake_up, check_interval_in_microseconds, 1) == PY_LOCK_ACQUIRED;
    Py_END_ALLOW_THREADS
    {
        Holding lock(tasklets_lock);
        s.waits = false;
        if (s.is_woken && !is_acquired) {
            PyThread_acquire_lock(s.wake_up, NOWAIT_LOCK);
        }
        s.is_woken = false;
    }
    return PyErr_CheckSignals() == 0;
}

}  // namespace

Tasklet* wake_or_wait(Scheduler& s, Tasklet* leaving) noexcept {
    s.set_switching(true);  // handlers of signals may run here
    bool has_ended = !leaving->is_active;
    for (;;) {
        Tasklet* candidate = fallback_tasklet(s);
        Run* run = s.runs;
        bool in_run = run != nullptr;
        bool is_stuck = !in_run && (candidate == leaving || candidate->chain == Chain::channel);
        // Even a run() that blocks the thread returns when a tasklet ends, because its caller may wait for that.
        if ((is_stuck || (in_run && run->blocks_thread && !has_ended)) && may_be_woken(s)) {
            if (!wait_for_other_threads(s)) {
                return nullptr;
            }
            if (!s.runnable.is_empty()) {
                return s.runnable.first();
            }
            continue;
        }
        if (is_stuck && !has_ended) {
            raise_stuck(s, deadlock);
            return nullptr;
        }
        if (is_stuck) {
            raise_stuck(s, candidate->sends ? nobody_receives : nobody_sends);
            raise_in(s, candidate, interpreter::take_exception());
            if (!s.runnable.is_empty()) {  // the candidate, unless dropping the value it had has ended it
                return s.runnable.first();
            }
            continue;
        }
        Holding lock(tasklets_lock);
        if (s.runnable.is_empty()) {
            s.runnable.append(unlink(candidate));
        }
        return s.runnable.first();
    }
}

void raise_in(Scheduler& s, Tasklet* t, PyObject* exception) noexcept {
    Outcome old;
    Holding lock(tasklets_lock);
    old = t->outcome.exchange(Outcome::error(exception));
    s.runnable.prepend(unlink(t));
}

}  // namespace stackless
