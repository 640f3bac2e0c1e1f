#include "stackless/contexts.hpp"

#include <utility>

#include "core/reference.hpp"
#include "interpreter/context.hpp"
#include "interpreter/frames/frame_object.hpp"
#include "interpreter/thread_state.hpp"
#include "stackless/refusal.hpp"
#include "stackless/scheduler.hpp"

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

// May the context of a tasklet that is not the current one of this thread be used? The lock is held. If threads do not
// take turns, one that has a stack may be resumed by its own at any time.
bool has_context_at_hand(const Tasklet& t) noexcept {
    bool may_run = t.is_active && !interpreter::has_gil && !t.scheduler->is_running_thread();
    return !may_run && !t.scheduler->is_busy_with(&t);
}

// Is its context that of the running greenlet? So it is of the current tasklet, and of one in whose greenlet another
// one goes on.
bool has_running_context(const Tasklet& t, const Scheduler* own) noexcept {
    return own != nullptr && (own->current == &t || own->thread->current == t.greenlet);
}

// Where the context of a tasklet is that does not run. The lock is held.
PyObject** context_of(Tasklet& t) noexcept {
    if (t.greenlet == nullptr) {
        return &t.context;
    }
    core::Greenlet& greenlet = *t.greenlet->pimpl;
    return greenlet.activation != nullptr ? &greenlet.activation->state.context : &greenlet.context;
}

}  // namespace

bool is_current_here(const Tasklet& t) noexcept {
    Scheduler* s = own_scheduler(t);
    return s != nullptr && s->current == &t;
}

bool set_context(Tasklet& t, PyObject* context) noexcept {
    Scheduler* own = own_scheduler(t);
    bool runs = has_running_context(t, own);
    PyThreadState* ts = interpreter::current_thread_state();
    Reference old;
    Holding lock(tasklets_lock);
    const char* reason = nullptr;
    if (own == nullptr && (t.chain != Chain::none || !has_context_at_hand(t))) {
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
    if (has_context_at_hand(t)) {
        PyObject*& place = *context_of(t);
        place = place != nullptr ? place : made.release();
        context = Reference::borrow(place);
    }
    return is_allowed(context ? nullptr : "the tasklet is the current one of another thread", lock) ? context.release()
                                                                                                    : nullptr;
}

PyFrameObject* innermost_frame(const Tasklet& t) noexcept {
    Scheduler* own = own_scheduler(t);
    if (!t.is_active || (own == nullptr && (!interpreter::has_gil || t.scheduler->thread == nullptr))) {
        return nullptr;
    }
    if (t.scheduler->current == &t) {
        auto* frame = own != nullptr ? PyEval_GetFrame() : nullptr;
        return reinterpret_cast<PyFrameObject*>(Py_XNewRef(reinterpret_cast<PyObject*>(frame)));
    }
    core::Greenlet& greenlet = *t.greenlet->pimpl;
    if (greenlet.activation == nullptr || greenlet.thread->current == t.greenlet) {
        return nullptr;
    }
    return interpreter::innermost_frame_object(interpreter::current_thread_state(), greenlet.activation->state);
}

}  // namespace stackless
