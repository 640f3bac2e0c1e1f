#include "stackless/turn.hpp"

#include <utility>

#include "core/create.hpp"
#include "core/gc_root.hpp"
#include "core/parent.hpp"
#include "core/reference.hpp"
#include "core/switch.hpp"
#include "core/thread_stack.hpp"
#include "interpreter/pending_exception.hpp"
#include "stackless/arrival.hpp"
#include "stackless/ownership.hpp"

namespace stackless {

using core::Reference;
using interpreter::Holding;

bool make_greenlet(Scheduler& s, Tasklet* t) noexcept {
    PyGreenlet* g = core::create(s.module->greenlet_type, *s.thread);
    if (g == nullptr) {
        return false;
    }
    // The parent is set when it ends. Until then it should not be one that ends earlier and would be kept.
    PyGreenlet* creator = std::exchange(g->pimpl->parent,
                                        core::as_greenlet(Py_NewRef(core::as_object(s.thread->main))));
    Py_DECREF(creator);
    g->pimpl->run = Py_NewRef(s.state->run_tasklet);
    Holding lock(tasklets_lock);
    g->pimpl->context = std::exchange(t->context, nullptr);
    t->greenlet = g;
    return true;
}

void drop_parting(Scheduler& s) noexcept {
    if (s.parting != nullptr) [[unlikely]] {
        interpreter::PendingException in_flight;
        Py_CLEAR(s.parting);
    }
}

namespace {

// Switches to a tasklet whose greenlet has not begun, has finished, or is the running one: `to` goes on where that
// returns to then.
PyObject* switch_otherwise(core::Thread& thread, Tasklet* to, interpreter::CallInProgress call) {
    PyObject* argument = core::is_started(to->greenlet) ? Py_None : as_object(to);
    Reference target = Reference::steal(to->greenlet == thread.current ? core::get_parent(thread.current) : nullptr);
    if (!target) {
        target = Reference::to(core::as_object(to->greenlet));
    }
    return core::switch_to(std::move(target), core::Message{&argument, 1}, call);
}

}  // namespace

// What runs on the stack of the current tasklet's own greenlet holds the tasklet. Elsewhere it may have ended when this
// goes on, and nobody else may hold it; as may the main one by what is called besides.
PyObject* Scheduler::go_on(Tasklet* from, Tasklet* to, interpreter::CallInProgress call) noexcept {
    set_switching(true);
    return from->first_greenlet == thread->current && is_plain() ? go_on_held(from, to, call, true)
                                                                 : hold_and_go_on(from, to, call);
}

PyObject* Scheduler::go_on_paused(Tasklet* from, Tasklet* to, interpreter::CallInProgress call) noexcept {
    if (from->is_main || from->first_greenlet != thread->current) {
        Py_DECREF(from);
        return go_on(from, to, call);
    }
    set_switching(true);
    return go_on_held(from, to, call, is_plain(), as_object(from));
}

[[gnu::noinline]] PyObject* Scheduler::hold_and_go_on(Tasklet* from, Tasklet* to,
                                                      interpreter::CallInProgress call) noexcept {
    if (from->first_greenlet == thread->current && !from->is_main) {
        return go_on_held(from, to, call, is_plain());
    }
    core::GcRoot held(*thread, Reference::borrow(as_object(from)));
    return go_on_held(from, to, call, is_plain());
}

// `pausing`: a reference to `from` that is taken over, if it pauses; else nullptr. Whoever goes on drops it, so that
// nothing on the stack of a paused tasklet holds it.
[[gnu::always_inline]] inline PyObject* Scheduler::go_on_held(Tasklet* from, Tasklet* to,
                                                              interpreter::CallInProgress call, bool is_plain,
                                                              PyObject* pausing) noexcept {
    Reference dropped = Reference::steal(pausing);
    to = prepare(from, to, is_plain);
    if (to == from) {
        return arrive(*this, from, Py_NewRef(Py_None));
    }
    if (to != nullptr && !is_plain && is_superseded(from)) {
        return give_up_switch(from);
    }
    if (to == nullptr || (to->greenlet == nullptr && !make_greenlet(*this, to))) {
        take_turn(from);
        return nullptr;
    }
    make_current(to, from);
    set_greenlet(from, thread->current);
    PyObject* value = nullptr;
    if (pausing != nullptr) {
        if (to->suspension != Suspension::outside &&
            (core::is_plain_switch(to->greenlet) || !core::is_started(to->greenlet))) {
            Holding lock(tasklets_lock);
            unhold(from);
            value = dropped.release();
        }
        dropped = Reference();
    }
    if (to->suspension == Suspension::outside) [[unlikely]] {
        set_suspension(to, Suspension::in_turn);
        set_switching(false);
    }
    PyObject* received;
    if (core::is_plain_switch(to->greenlet)) [[likely]] {
        received = core::transfer(*thread, to->greenlet, value != nullptr ? value : Py_NewRef(Py_None), call);
    }
    else {
        Reference before = Reference::steal(std::exchange(parting, value));
        received = switch_otherwise(*thread, to, call);
        drop_parting(*this);
    }
    return arrive(*this, from, received);
}

PyObject* Scheduler::give_up_switch(Tasklet* from) noexcept {
    bool waits_in_vain = from->chain == Chain::channel;
    PyObject* value = arrive(*this, from, Py_NewRef(Py_None));
    if (waits_in_vain && value != nullptr) {
        Py_DECREF(value);
        return fail("greenlets switched in the middle of this switch");
    }
    return value;
}

[[gnu::noinline]] PyObject* Scheduler::let_go_and_go_on(Tasklet* from, PyObject* unused, PyObject* unused_too,
                                                        interpreter::CallInProgress call) noexcept {
    core::GcRoot held(*thread, Reference::borrow(as_object(from)));
    set_switching(true);  // or it could take what this one is to be resumed with
    Py_XDECREF(unused);
    Py_XDECREF(unused_too);
    Tasklet* next = is_superseded(from) ? from : next_turn(from);
    if (next != nullptr) {
        return is_superseded(from) ? give_up_switch(from) : go_on(from, next, call);
    }
    take_turn(from);
    clear_outcome(from);
    return nullptr;
}

PyObject* Scheduler::pause_current(interpreter::CallInProgress call) noexcept {
    Tasklet* self = current;
    {
        Holding lock(tasklets_lock);
        runnable.remove(self);
    }
    Py_DECREF(self);
    return !runnable.is_empty() ? go_on(self, runnable.first(), call) : let_go_and_go_on(self, nullptr, nullptr, call);
}

PyObject* Scheduler::pause(interpreter::CallInProgress call) noexcept {
    Tasklet* self = current;
    if (self->is_main || self->first_greenlet != thread->current) {
        return pause_current(call);
    }
    {
        Holding lock(tasklets_lock);
        runnable.remove(self);
    }
    Tasklet* next = runnable.first();
    if (next == nullptr) {
        set_switching(true);
        next = next_turn(self);
        if (next == nullptr || is_superseded(self)) {
            Reference chained = Reference::steal(as_object(self));
            if (next != nullptr) {
                return give_up_switch(self);
            }
            take_turn(self);
            clear_outcome(self);
            return nullptr;
        }
    }
    return go_on_paused(self, next, call);
}

void Scheduler::take_turn(Tasklet* t) noexcept {
    Holding lock(tasklets_lock);
    runnable.prepend(unlink(t));
    current = t;
    upcoming = nullptr;
    end_switching();
}

// The first one of the ring, which other threads leave alone from now on: until then they may have taken it out of the
// ring.
Tasklet* Scheduler::reserve_next(Tasklet* from) noexcept {
    do {
        Holding lock(tasklets_lock);
        upcoming = runnable.first();
    } while (upcoming == nullptr && next_turn(from) != nullptr);
    return upcoming;
}

[[gnu::noinline]] Tasklet* Scheduler::prepare_otherwise(Tasklet* from, Tasklet* to) noexcept {
    if (watchdog != nullptr) {
        to = watch(from, to);
    }
    {
        Reference held = Reference::borrow(as_object(to));  // what is called may end it
        if (from != to) {
            call_schedule_callback(from, to);
        }
        if (has_hooks && from != to) {
            exchange_hooks(*this, from, to);
        }
        if (thread == nullptr) {
            PyErr_SetString(PyExc_RuntimeError, "the thread ends, so it can't switch");
            return nullptr;
        }
        if (is_runnable_here(to)) {
            return to;
        }
    }
    return next_turn(from);  // chosen when nothing more is let go of, which might end it
}

// There is nobody to raise an error of the callback in: `from` may have ended.
void Scheduler::call_schedule_callback(Tasklet* from, Tasklet* to) noexcept {
    Reference callback = state->get(&State::schedule_callback);
    if (!callback) {
        return;
    }
    Reference result = Reference::steal(
        PyObject_CallFunctionObjArgs(callback.get(), as_object(from), as_object(to), nullptr));
    if (!result) {
        PyErr_WriteUnraisable(callback.get());
    }
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
                 "stackless.switch_trap(-%d) allows it again",
                 switch_trap);
    return false;
}

}  // namespace stackless
