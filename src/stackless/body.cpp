#include "stackless/body.hpp"

#include <utility>

#include "core/create.hpp"
#include "core/gc_root.hpp"
#include "core/parent.hpp"
#include "core/reference.hpp"
#include "core/switch.hpp"
#include "interpreter/pending_exception.hpp"
#include "stackless/arrival.hpp"
#include "stackless/ownership.hpp"
#include "stackless/turn.hpp"

namespace stackless {

using core::Reference;
using interpreter::Holding;

void Scheduler::add_active(Tasklet* t) noexcept {
    Holding lock(tasklets_lock);
    t->is_active = true;
    active.prepend(t);
}

void Scheduler::remove_active(Tasklet* t) noexcept {
    Holding lock(tasklets_lock);
    forget_active(t);
}

void Scheduler::forget_active(Tasklet* t) noexcept {
    t->is_active = false;
    t->suspension = Suspension::in_turn;
    active.remove(t);
    forget_runs(t);
}

namespace {

// What is left of the exception that ended a tasklet: nothing if it is one that only ends it, or if the error handler
// deals with it.
void handle_error(Scheduler& s, Reference& exception) {
    if (PyErr_GivenExceptionMatches(exception.get(), s.state->tasklet_exit) ||
        PyErr_GivenExceptionMatches(exception.get(), s.module->greenlet_exit)) {
        exception = Reference();
        return;
    }
    if (Reference handler = s.state->get(&State::error_handler)) {
        Reference traceback = Reference::steal(PyException_GetTraceback(exception.get()));
        PyObject* arguments[] = {reinterpret_cast<PyObject*>(Py_TYPE(exception.get())), exception.get(),
                                 traceback ? traceback.get() : Py_None};
        Reference result = Reference::steal(PyObject_Vectorcall(handler.get(), arguments, 3, nullptr));
        exception = Reference::steal(result ? nullptr : interpreter::take_exception());
    }
}

// Decides who goes on when the current tasklet has ended: the parent of its greenlet. Returns the result of the latter.
PyObject* pass_on(Scheduler& s, Tasklet* self, Reference exception) {
    {
        Holding lock(tasklets_lock);
        unlink(self);
    }
    Py_DECREF(self);
    s.set_switching(true);
    for (;;) {
        if (exception) {
            s.raise_in(s.sleeper(), exception.release());
        }
        Tasklet* next = s.next_turn(self);
        if (next != nullptr) {
            next = s.prepare(self, next, s.is_plain());
        }
        if (s.thread == nullptr) [[unlikely]] {  // it ends, and with it this greenlet
            PyErr_Clear();
            return Py_NewRef(Py_None);
        }
        s.set_switching(true);  // greenlets may have switched meanwhile
        if (next == nullptr || (next->greenlet == nullptr && !make_greenlet(s, next))) {
            exception = Reference::steal(interpreter::take_exception());
            continue;
        }
        bool is_started = core::is_started(next->greenlet);
        s.make_current(next);
        core::set_successor(s.thread->current, next->greenlet);
        clear_hooks(self->hooks);
        if (next->suspension == Suspension::outside) {
            set_suspension(next, Suspension::in_turn);
            s.set_switching(false);
        }
        return Py_NewRef(is_started ? Py_None : as_object(next));
    }
}

}  // namespace

PyObject* run_tasklet(PyObject*, PyObject* const* args, Py_ssize_t count) noexcept {
    Scheduler* running = Scheduler::running();
    if (running == nullptr) {
        return nullptr;
    }
    Scheduler& s = *running;
    bool is_tasklet = count == 1 && PyObject_TypeCheck(args[0], s.state->tasklet_type);
    Tasklet* self = is_tasklet ? as_tasklet(args[0]) : nullptr;
    if (self == nullptr || self->greenlet != s.thread->current || self->is_active) {
        return fail("only a scheduler runs tasklets");
    }
    // Nothing else on this stack holds it.
    core::GcRoot holder(*s.thread,
                        Reference::steal(std::exchange(const_cast<PyObject**>(args)[0], Py_NewRef(Py_None))));
    self->first_greenlet = s.thread->current;
    self->holder = &holder;
    s.add_active(self);
    Reference result = Reference::steal(arrive(s, self, Py_NewRef(Py_None)));
    drop_parting(s);
    if (result) {
        result = Reference::steal(PyObject_Call(self->function, self->arguments, self->keywords));
    }
    Reference exception = Reference::steal(result ? nullptr : interpreter::take_exception());
    result = Reference();
    if (exception) {
        handle_error(s, exception);
    }
    unbind(self);  // what runs because of that can't bind it anew yet
    Reference greenlet;
    {
        Holding lock(tasklets_lock);
        s.forget_active(self);
        self->first_greenlet = nullptr;
        self->holder = nullptr;
        greenlet = Reference::steal(core::as_object(std::exchange(self->greenlet, nullptr)));
    }
    if (s.current != self) [[unlikely]] {
        // Greenlets switched to this one while the tasklet waited in another one: they go on.
        Tasklet* removed;
        {
            Holding lock(tasklets_lock);
            removed = unlink(self);
        }
        Py_DECREF(removed);
        if (!exception) {
            return Py_NewRef(Py_None);
        }
        interpreter::put_exception(exception.release());
        return nullptr;
    }
    return pass_on(s, self, std::move(exception));
}

}  // namespace stackless
