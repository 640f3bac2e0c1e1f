#include "stackless/body.hpp"

#include <utility>

#include "core/create.hpp"
#include "core/gc_root.hpp"
#include "core/parent.hpp"
#include "core/reference.hpp"
#include "core/switch.hpp"
#include "interpreter/pending_exception.hpp"
#include "stackless/active.hpp"
#include "stackless/arrival.hpp"
#include "stackless/ownership.hpp"
#include "stackless/refusal.hpp"
#include "stackless/runs.hpp"
#include "stackless/turn.hpp"

namespace stackless {

using core::Reference;
using interpreter::Holding;

namespace {

// Clears the exception that ended a tasklet if it is TaskletExit or GreenletExit, or if the error handler returns. An
// exception that the error handler raises replaces it.
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

// Chooses the tasklet that runs after the current one, which has ended, and makes its greenlet the parent of the
// running one. Returns the result for the running greenlet. The exception, if any, is raised in the fallback tasklet.
PyObject* finish(Scheduler& s, Tasklet* self, Reference exception) {
    {
        Holding lock(tasklets_lock);
        unlink(self);
    }
    Py_DECREF(self);
    s.set_switching(true);
    for (;;) {
        if (exception) {
            raise_in(s, fallback_tasklet(s), exception.release());
        }
        Tasklet* next = next_turn(s, self);
        if (next != nullptr) {
            next = prepare_switch(s, self, next, s.is_plain());
        }
        if (s.thread == nullptr) [[unlikely]] {  // it ends, and this greenlet with it
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
        return raise_runtime_error("only a scheduler runs tasklets");
    }
    // The greenlet's reference to the tasklet: no other one lies on this stack.
    core::GcRoot owner(*s.thread, Reference::steal(std::exchange(const_cast<PyObject**>(args)[0], Py_NewRef(Py_None))));
    self->first_greenlet = s.thread->current;
    self->owner = &owner;
    add_active(s, self);
    Reference result = Reference::steal(arrive(s, self, Py_NewRef(Py_None)));
    release_paused(s);
    if (result) {
        result = Reference::steal(PyObject_Call(self->function, self->arguments, self->keywords));
    }
    Reference exception = Reference::steal(result ? nullptr : interpreter::take_exception());
    result = Reference();
    if (exception) {
        handle_error(s, exception);
    }
    unbind(self);  // while it is active, so that code that runs meanwhile can't bind it
    Reference greenlet;
    {
        Holding lock(tasklets_lock);
        remove_active_locked(s, self);
        self->first_greenlet = nullptr;
        self->owner = nullptr;
        greenlet = Reference::steal(core::as_object(std::exchange(self->greenlet, nullptr)));
    }
    if (s.current != self) [[unlikely]] {
        // Other code switched to this greenlet while the tasklet waited in another one. The greenlet's parent is
        // resumed.
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
    return finish(s, self, std::move(exception));
}

}  // namespace stackless
