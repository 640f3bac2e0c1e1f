#include "stackless/run.hpp"

#include <algorithm>
#include <utility>

#include "core/reference.hpp"
#include "stackless/ownership.hpp"
#include "stackless/turn.hpp"
#include "stackless/watchdog.hpp"

namespace stackless {

using core::Reference;
using interpreter::Holding;

namespace {

// After an alarm in the middle of a switch, the next one comes at least so many nanoseconds later. CPython 3.11 does
// not continue a traced function while signals are pending: if handling one took longer than the timeout, it never
// would.
constexpr std::int64_t least_delay = 100'000;

PyObject* alarm_went_off(PyObject*, PyObject*) {
    Scheduler* s = Scheduler::running();
    if (s == nullptr || !interrupt(*s)) {
        return nullptr;
    }
    Py_RETURN_NONE;
}

PyMethodDef alarm_function = {"alarm_went_off", alarm_went_off, METH_VARARGS, nullptr};

}  // namespace

PyObject* run_others(Scheduler& s, Run& run, interpreter::CallInProgress call) noexcept {
    run.has_alarm = run.timeout > 0 && !run.is_soft &&
                    watchdog::prepare(*s.state, alarm_function);  // may run other tasklets, like the next line
    s.thread->run_kill_queue();
    if (!s.may_switch()) {
        return nullptr;
    }
    if (s.runnable.count() == 1 && !run.blocks_thread) {
        Py_RETURN_NONE;
    }
    run.tasklet = as_tasklet(Py_NewRef(as_object(s.current)));  // it will be in no chain
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
    PyObject* value = pause_current(s, call);
    end_run(s, run);
    Py_DECREF(run.tasklet);
    if (run.interrupted != nullptr) {
        Py_XDECREF(value);
        {
            Holding lock(tasklets_lock);
            drop_ownership(run.interrupted);
        }
        value = value != nullptr ? Py_NewRef(as_object(run.interrupted)) : nullptr;
        Py_CLEAR(run.interrupted);
    }
    return value;
}

bool interrupt(Scheduler& s) noexcept {
    s.thread->run_kill_queue();  // may run other tasklets
    s.interrupt_is_due = false;
    if (s.watchdog == nullptr || s.current == s.watchdog->tasklet || s.watchdog->is_soft) {
        return true;
    }
    std::int64_t now = watchdog::now();
    if (now < s.watchdog->deadline || s.is_switching()) {
        watchdog::set_alarm(s.is_switching() ? now + std::max(s.watchdog->timeout, least_delay) : s.watchdog->deadline);
        return true;
    }
    if (s.current->atomic || s.switch_trap > 0) {
        s.interrupt_is_due = true;
        return true;
    }
    Tasklet* self = s.current;
    Reference before;
    {
        Holding lock(tasklets_lock);
        s.runnable.remove(self);
        before = Reference::steal(as_object(std::exchange(s.watchdog->interrupted, self)));
        s.runnable.prepend(unlink(s.watchdog->tasklet));
    }
    PyObject* value = switch_tasklets(s, self, s.runnable.first(), {});
    Py_XDECREF(value);
    return value != nullptr;
}

}  // namespace stackless
