#include "stackless/scheduler.hpp"

#include <utility>

#include "core/reference.hpp"
#include "core/thread_stack.hpp"
#include "interpreter/collector.hpp"
#include "interpreter/pending_exception.hpp"
#include "interpreter/threading/threads.hpp"

namespace stackless {

using core::Reference;
using interpreter::Holding;

Scheduler* Scheduler::make(core::Thread& thread) noexcept {
    interpreter::PendingException in_flight;
    State* state = &layer.of(*thread.module);
    auto* s = reinterpret_cast<Scheduler*>(state->scheduler_type->tp_alloc(state->scheduler_type, 0));
    if (s == nullptr) {
        in_flight.discard();
        return nullptr;
    }
    s->module = thread.module;
    s->module->owners.add();
    s->state = state;
    s->thread_id = thread.identity;
    s->wake_up = PyThread_allocate_lock();
    s->main = s->wake_up != nullptr ? make_tasklet(state->tasklet_type, *s) : nullptr;
    if (s->main == nullptr) {
        in_flight.discard();
        if (!PyErr_Occurred()) {
            PyErr_NoMemory();
        }
        Py_DECREF(s);
        return nullptr;
    }
    PyThread_acquire_lock(s->wake_up, NOWAIT_LOCK);
    s->thread = &thread;
    s->main->is_main = true;
    s->main->is_active = true;
    s->main->first_greenlet = thread.main;
    set_greenlet(s->main, thread.current);
    s->current = s->main;
    Holding lock(tasklets_lock);
    s->runnable.append(as_tasklet(Py_NewRef(as_object(s->main))));
    s->next_scheduler = std::exchange(state->schedulers, s);
    layer_object(thread).object = as_object(s);
    return s;
}

Reference Scheduler::of_thread(State& state, unsigned long thread_id) noexcept {
    auto find = [&state, thread_id]() noexcept {
        Holding lock(tasklets_lock);
        Scheduler* s = state.schedulers;
        while (s != nullptr && s->thread_id != thread_id) {
            s = s->next_scheduler;
        }
        return Reference::borrow(as_object(s));
    };
    Reference found = find();
    PyThreadState* ts = !found ? interpreter::thread_state_of(thread_id) : nullptr;
    if (ts == nullptr) {
        return found;
    }
    interpreter::CollectorPaused paused;
    core::Thread* thread = core::Thread::of(ts);
    if (thread != nullptr && layer_object(*thread).object == nullptr && !layer_object(*thread).has_ended) {
        make(*thread);
    }
    PyErr_Clear();
    return find();
}

bool Scheduler::refuse_switch() noexcept {
    if (thread->is_on_own_stack()) {
        core::refuse_switch_on_own_stack(PyExc_RuntimeError);
        return false;
    }
    if (is_switching()) {
        PyErr_SetString(PyExc_RuntimeError, "no switch is possible here: another one is in progress");
        return false;
    }
    PyErr_Format(PyExc_RuntimeError,
                 "switch_trap: no tasklet can be switched to, because stackless.switch_trap() was called to forbid it; "
                 "stackless.switch_trap(-%ld) allows it again",
                 switch_trap);
    return false;
}

Tasklet* make_tasklet(PyTypeObject* type, Scheduler& scheduler) noexcept {
    Tasklet* t = as_tasklet(type->tp_alloc(type, 0));
    if (t != nullptr) {
        t->scheduler = as_scheduler(Py_NewRef(as_object(&scheduler)));
    }
    return t;
}

Scheduler* own_scheduler(const Tasklet& t) noexcept {
    Holding lock(tasklets_lock);
    Scheduler* s = t.scheduler;
    return s->is_running_thread() ? s : nullptr;
}

bool is_current_here(const Tasklet& t) noexcept {
    Scheduler* s = own_scheduler(t);
    return s != nullptr && s->current == &t;
}

bool has_ended_thread(const Tasklet& t) noexcept {
    Holding lock(tasklets_lock);
    return t.scheduler->thread == nullptr;
}

bool is_alive_locked(const Tasklet* t) noexcept {
    return t->scheduler->thread != nullptr && (t->is_active ? has_stack(t) : t->arguments != nullptr);
}

bool is_alive(const Tasklet& t) noexcept {
    Holding lock(tasklets_lock);
    return is_alive_locked(&t);
}

}  // namespace stackless
