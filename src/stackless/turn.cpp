#include "stackless/turn.hpp"

#include <utility>

#include "core/create.hpp"
#include "core/gc_root.hpp"
#include "core/parent.hpp"
#include "core/reference.hpp"
#include "core/switch.hpp"
#include "interpreter/pending_exception.hpp"
#include "stackless/arrival.hpp"
#include "stackless/ownership.hpp"
#include "stackless/refusal.hpp"
#include "stackless/runs.hpp"
#include "stackless/tracing.hpp"

namespace stackless {

using core::Reference;
using interpreter::Holding;

bool make_greenlet(Scheduler& s, Tasklet* t) noexcept {
    PyGreenlet* g = core::create(s.module->greenlet_type, *s.thread);
    if (g == nullptr) {
        return false;
    }
    // The tasklet's end sets the parent that the greenlet returns to. Until then it is the main greenlet, because a
    // greenlet keeps its parent alive.
    PyGreenlet* creator = std::exchange(g->pimpl->parent,
                                        core::as_greenlet(Py_NewRef(core::as_object(s.thread->main))));
    Py_DECREF(creator);
    g->pimpl->run = Py_NewRef(s.state->run_tasklet);
    Holding lock(tasklets_lock);
    g->pimpl->context = std::exchange(t->context, nullptr);
    t->greenlet = g;
    return true;
}

void release_paused(Scheduler& s) noexcept {
    if (s.to_release != nullptr) [[unlikely]] {
        interpreter::PendingException in_flight;
        Py_CLEAR(s.to_release);
    }
}

Tasklet* reserve_next(Scheduler& s, Tasklet* from) noexcept {
    do {
        Holding lock(tasklets_lock);
        s.upcoming = s.runnable.first();
    } while (s.upcoming == nullptr && next_turn(s, from) != nullptr);
    return s.upcoming;
}

namespace {

// Errors are unraisable: `from` may have ended, so they can't be raised in it.
void call_schedule_callback(Scheduler& s, Tasklet* from, Tasklet* to) noexcept {
    Reference callback = s.state->get(&State::schedule_callback);
    if (!callback) {
        return;
    }
    Reference result = Reference::steal(
        PyObject_CallFunctionObjArgs(callback.get(), as_object(from), as_object(to), nullptr));
    if (!result) {
        PyErr_WriteUnraisable(callback.get());
    }
}

}  // namespace

[[gnu::noinline]] Tasklet* run_switch_hooks(Scheduler& s, Tasklet* from, Tasklet* to) noexcept {
    if (s.watchdog != nullptr) {
        to = check_timeout(s, from, to);
    }
    {
        Reference kept = Reference::borrow(as_object(to));  // the callbacks may end it
        if (from != to) {
            call_schedule_callback(s, from, to);
        }
        if (s.has_hooks && from != to) {
            exchange_hooks(s, from, to);
        }
        if (s.thread == nullptr) {
            PyErr_SetString(PyExc_RuntimeError, "the thread ends, so it can't switch");
            return nullptr;
        }
        if (s.is_runnable_here(to)) {
            return to;
        }
    }
    return next_turn(s, from);  // chosen after the reference is dropped, which may end tasklets
}

namespace {

// Switches to a tasklet whose greenlet has not begun, has finished, or is the running one. In the last case it switches
// to the parent of that greenlet.
PyObject* switch_greenlets(core::Thread& thread, Tasklet* to, interpreter::CallInProgress call) {
    PyObject* argument = core::is_started(to->greenlet) ? Py_None : as_object(to);
    Reference target = Reference::steal(to->greenlet == thread.current ? core::get_parent(thread.current) : nullptr);
    if (!target) {
        target = Reference::to(core::as_object(to->greenlet));
    }
    return core::switch_to(std::move(target), core::Message{&argument, 1}, call);
}

// For a tasklet whose switch was superseded: it continues at once.
PyObject* give_up_switch(Scheduler& s, Tasklet* from) noexcept {
    bool was_to_wait = from->chain == Chain::channel;
    PyObject* value = arrive(s, from, Py_NewRef(Py_None));
    if (was_to_wait && value != nullptr) {
        Py_DECREF(value);
        return raise_runtime_error("greenlets switched in the middle of this switch");
    }
    return value;
}

// switch_tasklets() while the caller keeps `from` alive. `pausing`: if `from` pauses, the reference to it that this
// function takes ownership of; otherwise nullptr. The next tasklet drops it, so that nothing on the stack of a paused
// tasklet owns the tasklet.
[[gnu::always_inline]] inline PyObject* switch_kept(Scheduler& s, Tasklet* from, Tasklet* to,
                                                    interpreter::CallInProgress call, bool is_plain,
                                                    PyObject* pausing = nullptr) noexcept {
    Reference dropped = Reference::steal(pausing);
    to = prepare_switch(s, from, to, is_plain);
    if (to == from) {
        return arrive(s, from, Py_NewRef(Py_None));
    }
    if (to != nullptr && !is_plain && s.is_superseded(from)) {
        return give_up_switch(s, from);
    }
    if (to == nullptr || (to->greenlet == nullptr && !make_greenlet(s, to))) {
        take_turn(s, from);
        return nullptr;
    }
    s.make_current(to, from);
    set_greenlet(from, s.thread->current);
    PyObject* value = nullptr;
    if (pausing != nullptr) {
        if (to->suspension != Suspension::outside &&
            (core::is_plain_switch(to->greenlet) || !core::is_started(to->greenlet))) {
            Holding lock(tasklets_lock);
            drop_ownership(from);
            value = dropped.release();
        }
        dropped = Reference();
    }
    if (to->suspension == Suspension::outside) [[unlikely]] {
        set_suspension(to, Suspension::in_turn);
        s.set_switching(false);
    }
    PyObject* received;
    if (core::is_plain_switch(to->greenlet)) [[likely]] {
        received = core::transfer(*s.thread, to->greenlet, value != nullptr ? value : Py_NewRef(Py_None), call);
    }
    else {
        Reference before = Reference::steal(std::exchange(s.to_release, value));
        received = switch_greenlets(*s.thread, to, call);
        release_paused(s);
    }
    return arrive(s, from, received);
}

// switch_tasklets() where `from` may end meanwhile and nothing else may keep it alive: in another greenlet than its
// own, or when callbacks run, which may end the main tasklet too.
[[gnu::noinline]] PyObject* keep_and_switch(Scheduler& s, Tasklet* from, Tasklet* to,
                                            interpreter::CallInProgress call) noexcept {
    if (from->first_greenlet == s.thread->current && !from->is_main) {
        return switch_kept(s, from, to, call, s.is_plain());
    }
    core::GcRoot kept(*s.thread, Reference::borrow(as_object(from)));
    return switch_kept(s, from, to, call, s.is_plain());
}

}  // namespace

PyObject* switch_tasklets(Scheduler& s, Tasklet* from, Tasklet* to, interpreter::CallInProgress call) noexcept {
    s.set_switching(true);
    return from->first_greenlet == s.thread->current && s.is_plain() ? switch_kept(s, from, to, call, true)
                                                                     : keep_and_switch(s, from, to, call);
}

PyObject* switch_from_paused(Scheduler& s, Tasklet* from, Tasklet* to, interpreter::CallInProgress call) noexcept {
    if (from->is_main || from->first_greenlet != s.thread->current) {
        Py_DECREF(from);
        return switch_tasklets(s, from, to, call);
    }
    s.set_switching(true);
    return switch_kept(s, from, to, call, s.is_plain(), as_object(from));
}

[[gnu::noinline]] PyObject* release_and_switch(Scheduler& s, Tasklet* from, PyObject* unused, PyObject* also_unused,
                                               interpreter::CallInProgress call) noexcept {
    core::GcRoot kept(*s.thread, Reference::borrow(as_object(from)));
    s.set_switching(true);  // a switch of code that runs here could take what `from` is to be resumed with
    Py_XDECREF(unused);
    Py_XDECREF(also_unused);
    Tasklet* next = s.is_superseded(from) ? from : next_turn(s, from);
    if (next != nullptr) {
        return s.is_superseded(from) ? give_up_switch(s, from) : switch_tasklets(s, from, next, call);
    }
    take_turn(s, from);
    clear_outcome(from);
    return nullptr;
}

PyObject* pause_current(Scheduler& s, interpreter::CallInProgress call) noexcept {
    Tasklet* self = s.current;
    {
        Holding lock(tasklets_lock);
        s.runnable.remove(self);
    }
    Py_DECREF(self);
    return !s.runnable.is_empty() ? switch_tasklets(s, self, s.runnable.first(), call)
                                  : release_and_switch(s, self, nullptr, nullptr, call);
}

PyObject* pause_unowned(Scheduler& s, interpreter::CallInProgress call) noexcept {
    Tasklet* self = s.current;
    if (self->is_main || self->first_greenlet != s.thread->current) {
        return pause_current(s, call);
    }
    {
        Holding lock(tasklets_lock);
        s.runnable.remove(self);
    }
    Tasklet* next = s.runnable.first();
    if (next == nullptr) {
        s.set_switching(true);
        next = next_turn(s, self);
        if (next == nullptr || s.is_superseded(self)) {
            Reference removed = Reference::steal(as_object(self));
            if (next != nullptr) {
                return give_up_switch(s, self);
            }
            take_turn(s, self);
            clear_outcome(self);
            return nullptr;
        }
    }
    return switch_from_paused(s, self, next, call);
}

}  // namespace stackless
