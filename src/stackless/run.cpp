#include "stackless/run.hpp"

#include <algorithm>
#include <utility>

#include "core/reference.hpp"
#include "stackless/ownership.hpp"
#include "stackless/watchdog.hpp"

namespace stackless {

using core::Reference;
using interpreter::Holding;

namespace {

// How long at least, in nanoseconds, until the alarm goes off again that came in the middle of a switch. CPython 3.11
// does not go on with a traced function while there are signals to be handled: with a shorter timeout than that takes,
// it never would.
constexpr std::int64_t least_delay = 100'000;

}  // namespace

Tasklet* Scheduler::sleeper() const noexcept { return runs != nullptr ? runs->tasklet : main; }

Tasklet* Scheduler::watch(Tasklet* from, Tasklet* to) noexcept {
    Run& run = *watchdog;
    std::int64_t now = watchdog::now();
    bool over = now >= run.deadline && from != run.tasklet && to != run.tasklet;
    if (!run.is_total) {
        run.deadline = now + run.timeout;
    }
    if (!over || !(run.is_soft || run.is_total || (!run.has_alarm && from->chain == Chain::runnable))) {
        return to;
    }
    Reference before;
    Holding lock(tasklets_lock);
    if (!run.is_soft) {
        before = Reference::steal(as_object(std::exchange(run.interrupted, unlink(run.is_total ? to : from))));
    }
    runnable.prepend(unlink(run.tasklet));
    return run.tasklet;
}

// Those that greenlets of an ended tasklet are still in.
void Scheduler::forget_runs(const Tasklet* t) noexcept {
    for (Run** place = &runs; *place != nullptr;) {
        Run* run = *place;
        if (run->tasklet != t) {
            place = &run->outer;
            continue;
        }
        if (run == watchdog) {
            stop_watchdog();
        }
        *place = run->outer;
    }
}

void Scheduler::stop_watchdog() noexcept {
    if (watchdog->has_alarm) {
        watchdog::set_alarm(0);
    }
    watchdog = nullptr;
    interrupt_is_due = false;
}

// If others were called later and wait for their return, they do so when it is their turn, which comes.
void Scheduler::end(const Run& run) noexcept {
    Run* inner = runs;
    while (inner != nullptr && inner != &run) {
        inner = inner->outer;
    }
    if (inner == nullptr) {
        return;  // it has ended with another one, or its tasklet has
    }
    Holding lock(tasklets_lock);
    do {
        inner = std::exchange(runs, runs->outer);
        if (inner == watchdog) {
            stop_watchdog();
        }
        if (inner->tasklet->chain == Chain::none) {
            runnable.append(unlink(inner->tasklet));
        }
    } while (inner != &run);
}

PyObject* run_others(Scheduler& s, Run& run, interpreter::CallInProgress call) noexcept {
    run.has_alarm = run.timeout > 0 && !run.is_soft &&
                    watchdog::prepare(*s.state);  // may run other tasklets, like the next line
    s.thread->run_kill_queue();
    if (!s.may_switch()) {
        return nullptr;
    }
    if (s.runnable.count() == 1 && !run.blocks_thread) {
        Py_RETURN_NONE;
    }
    run.tasklet = as_tasklet(Py_NewRef(as_object(s.current)));  // which is in no chain, and yet no garbage
    {
        Holding lock(tasklets_lock);
        run.outer = std::exchange(s.runs, &run);
    }
    if (run.timeout > 0 && s.watchdog == nullptr) {
        run.deadline = watchdog::now() + run.timeout;
        s.watchdog = &run;
        if (run.has_alarm) {
            watchdog::set_alarm(run.deadline);
        }
    }
    PyObject* value = s.pause_current(call);
    s.end(run);
    Py_DECREF(run.tasklet);
    if (run.interrupted != nullptr) {
        Py_XDECREF(value);
        {
            Holding lock(tasklets_lock);
            unhold(run.interrupted);
        }
        value = value != nullptr ? Py_NewRef(as_object(run.interrupted)) : nullptr;
        Py_CLEAR(run.interrupted);
    }
    return value;
}

bool Scheduler::interrupt() noexcept {
    thread->run_kill_queue();  // which may run other tasklets
    interrupt_is_due = false;
    if (watchdog == nullptr || current == watchdog->tasklet || watchdog->is_soft) {
        return true;
    }
    std::int64_t now = watchdog::now();
    if (now < watchdog->deadline || is_switching()) {
        watchdog::set_alarm(is_switching() ? now + std::max(watchdog->timeout, least_delay) : watchdog->deadline);
        return true;
    }
    if (current->atomic || switch_trap > 0) {
        interrupt_is_due = true;
        return true;
    }
    Tasklet* self = current;
    Reference before;
    {
        Holding lock(tasklets_lock);
        runnable.remove(self);
        before = Reference::steal(as_object(std::exchange(watchdog->interrupted, self)));
        runnable.prepend(unlink(watchdog->tasklet));
    }
    PyObject* value = go_on(self, runnable.first(), {});
    Py_XDECREF(value);
    return value != nullptr;
}

}  // namespace stackless
