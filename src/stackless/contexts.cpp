#include "stackless/contexts.hpp"

#include <utility>

#include "core/reference.hpp"
#include "interpreter/context.hpp"
#include "interpreter/thread_state.hpp"
#include "stackless/refusal.hpp"

namespace stackless {

using core::Reference;
using interpreter::Holding;

PyObject* running_context() noexcept {
    PyThreadState* ts = interpreter::current_thread_state();
    if (interpreter::running_context(ts) == nullptr) {
        PyObject* context = PyContext_New();
        if (context == nullptr) {
            return nullptr;
        }
        Py_XDECREF(interpreter::exchange_running_context(ts, context));
    }
    return Py_NewRef(interpreter::running_context(ts));
}

namespace {

// True if the context of a tasklet that is not the current one of this thread may be used. The lock is held. Without a
// GIL, its own thread may resume a tasklet that has a stack at any time.
bool is_context_accessible(const Tasklet& t) noexcept {
    bool may_run = t.is_active && !interpreter::has_gil && !t.scheduler->is_running_thread();
    return !may_run && !t.scheduler->is_busy_with(&t);
}

// True if the tasklet's context is that of the running greenlet. It is for the current tasklet, and for one in whose
// greenlet the current one runs.
bool has_running_context(const Tasklet& t, const Scheduler* own) noexcept {
    return own != nullptr && (own->current == &t || own->thread->current == t.greenlet);
}

// Where the context of a suspended tasklet is stored. The lock is held.
PyObject** context_of(Tasklet& t) noexcept {
    if (t.greenlet == nullptr) {
        return &t.context;
    }
    core::Greenlet& greenlet = *t.greenlet->pimpl;
    return greenlet.activation != nullptr ? &greenlet.activation->state.context : &greenlet.context;
}

}  // namespace

bool set_context(Tasklet& t, PyObject* context) noexcept {
    Scheduler* own = own_scheduler(t);
    bool runs = has_running_context(t, own);
    PyThreadState* ts = interpreter::current_thread_state();
    Reference old;
    Holding lock(tasklets_lock);
    const char* reason = nullptr;
    if (own == nullptr && (t.chain != Chain::none || !is_context_accessible(t))) {
        reason = "the tasklet is scheduled in another thread";
    }
    else if (t.is_active && interpreter::is_entered(runs ? interpreter::running_context(ts) : *context_of(t))) {
        reason = "the context of the tasklet is in use by Context.run()";
    }
    else {
        Py_INCREF(context);
        old = Reference::steal(runs ? interpreter::exchange_running_context(ts, context)
                                    : std::exchange(*context_of(t), context));
    }
    return is_allowed(reason, lock);
}

PyObject* get_context(Tasklet& t) noexcept {
    if (has_running_context(t, own_scheduler(t))) {
        return running_context();
    }
    Reference made = Reference::steal(PyContext_New());
    if (!made) {
        return nullptr;
    }
    Reference context;
    Holding lock(tasklets_lock);
    if (is_context_accessible(t)) {
        PyObject*& place = *context_of(t);
        place = place != nullptr ? place : made.release();
        context = Reference::borrow(place);
    }
    return is_allowed(context ? nullptr : "the tasklet is the current one of another thread", lock) ? context.release()
                                                                                                    : nullptr;
}

}  // namespace stackless
