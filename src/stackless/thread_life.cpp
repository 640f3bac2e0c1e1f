#include "stackless/thread_life.hpp"

#include <utility>

#include "core/reference.hpp"
#include "interpreter/collector.hpp"
#include "interpreter/pending_exception.hpp"
#include "interpreter/thread_state.hpp"
#include "interpreter/threading/threads.hpp"
#include "stackless/arrival.hpp"
#include "stackless/ownership.hpp"

namespace stackless {

using core::Reference;
using interpreter::Holding;

void kill_active(Scheduler& s) noexcept {
    s.switch_trap = 0;
    for (int round = 0; round < 10 && s.active.first() != nullptr; ++round) {
        Reference list = Reference::steal(PyList_New(0));
        for (Tasklet* t = s.active.first(); t != nullptr; t = s.active.after(t)) {
            if (!list || PyList_Append(list.get(), as_object(t)) < 0) {
                PyErr_WriteUnraisable(nullptr);
                return;
            }
        }
        for (Py_ssize_t i = PyList_GET_SIZE(list.get()); i-- > 0;) {
            Tasklet* t = as_tasklet(PyList_GET_ITEM(list.get(), i));
            if (!t->is_active || t == s.current) {
                continue;
            }
            PyObject* exit = make_exception(s.state->tasklet_exit);
            Reference done = Reference::steal(exit != nullptr ? throw_into(t, exit, false) : nullptr);
            if (!done) {
                PyErr_WriteUnraisable(as_object(t));
            }
        }
    }
}

namespace {

// From here on the thread has another one, if any, and others know that this one has ended.
void leave_thread(Scheduler& s) {
    Holding lock(tasklets_lock);
    for (Scheduler** place = &s.state->schedulers; *place != nullptr; place = &(*place)->next_scheduler) {
        if (*place == &s) {
            *place = s.next_scheduler;
            break;
        }
    }
    layer_object(*s.thread).object = nullptr;
    layer_object(*s.thread).has_ended = true;
    s.thread = nullptr;
}

// A tasklet that is still in a chain though the thread ends, taken out: it is runnable, or did not let itself be killed
// and waits on a channel. nullptr if there is none.
Tasklet* take_leftover(Scheduler& s) {
    Holding lock(tasklets_lock);
    if (!s.runnable.is_empty()) {
        return unlink(s.runnable.first());
    }
    for (Tasklet* t = s.active.first(); t != nullptr; t = s.active.after(t)) {
        if (t->chain == Chain::channel) {
            return unlink(t);
        }
    }
    return nullptr;
}

}  // namespace

void end_thread(Scheduler& s) noexcept {
    s.set_switching(false);
    interpreter::PendingException in_flight;
    bool is_finalizing = interpreter::is_finalizing();
    if (!is_finalizing && interpreter::current_thread_state() == s.thread->thread_state) {
        kill_active(s);
    }
    leave_thread(s);
    Reference released = Reference::steal(as_object(&s));
    if (is_finalizing) {
        return;  // what it holds goes with the process
    }
    while (Tasklet* t = take_leftover(s)) {
        Py_DECREF(t);
    }
    if (s.main != nullptr) {
        s.main->is_active = false;
    }
    s.current = nullptr;
    Py_CLEAR(s.main);
    Py_CLEAR(s.parting);
}

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
    layer_object(thread).object = reinterpret_cast<PyObject*>(s);
    return s;
}

Reference Scheduler::of_thread(State& state, unsigned long thread_id) noexcept {
    auto find = [&state, thread_id]() noexcept {
        Holding lock(tasklets_lock);
        Scheduler* s = state.schedulers;
        while (s != nullptr && s->thread_id != thread_id) {
            s = s->next_scheduler;
        }
        return Reference::borrow(reinterpret_cast<PyObject*>(s));
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

}  // namespace stackless
