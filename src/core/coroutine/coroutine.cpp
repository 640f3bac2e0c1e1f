#include "core/coroutine/coroutine.hpp"

#include <utility>

#include "core/coroutine/cycle_detector.hpp"
#include "core/coroutine/hooks.hpp"
#include "core/create.hpp"
#include "core/describe.hpp"
#include "core/parent.hpp"
#include "core/raise.hpp"
#include "core/reference.hpp"
#include "core/switch.hpp"
#include "core/thread_stack.hpp"
#include "core/transfer.hpp"
#include "interpreter/context.hpp"
#include "interpreter/handled_exception.hpp"
#include "interpreter/pending_exception.hpp"
#include "interpreter/thread_state.hpp"

namespace core {

namespace {

using State = Coroutine::State;

// True, with greenlet.error in place of the exception in flight, if the coroutine belongs to another thread. Always
// false with a GIL: only without one is it unsafe to look into such a coroutine.
bool is_refused(const Coroutine& coroutine) noexcept {
    if (interpreter::has_gil) {
        return false;
    }
    Thread* thread = Thread::running();
    if (thread == nullptr) {
        return true;
    }
    if (coroutine.owner.may_be(thread)) {
        return false;
    }
    PyErr_Clear();
    if (coroutine.state == State::running) {
        refuse_running(coroutine);
    }
    else {
        PyErr_Format(thread->module->error,
                     "Cannot switch to a different thread: the %s was begun in another one, and goes on there only",
                     coroutine.kind->name);
    }
    return true;
}

// Raises greenlet.error in place of the exception in flight: the coroutine was started in another thread.
void refuse_thread(const Coroutine& coroutine, Thread& running) noexcept {
    PyErr_Clear();
    Thread* thread = thread_of(coroutine.body);
    if (thread == nullptr || thread->thread_state == nullptr) {
        refuse_switch_to(coroutine.body, running);
        return;
    }
    Reference here = name_of(running);
    Reference there = here ? name_of(*thread) : Reference();
    if (there) {
        PyErr_Format(
            running.module->error,
            "Cannot switch to a different thread: the %s was begun in thread %U, and goes on there only; this is thread %U",
            coroutine.kind->name, there.get(), here.get());
    }
}

// The greenlet to switch to, where it may be another one than the body: borrowed. nullptr with an exception.
PyGreenlet* find_yielder(Coroutine& coroutine) {
    Thread* thread = Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    {
        // What may run code comes first, because that code may resume the coroutine.
        interpreter::PendingException in_flight;
        thread->run_kill_queue();
        if (coroutine.yielder != nullptr && !is_active(coroutine.yielder)) {
            Py_CLEAR(coroutine.yielder);
        }
    }
    if (coroutine.state != State::suspended) {
        refuse_running(coroutine);
        return nullptr;
    }
    if (thread_of(coroutine.body) != thread) {
        refuse_thread(coroutine, *thread);
        return nullptr;
    }
    if (!may_switch_to(coroutine.body, *thread)) {
        return nullptr;
    }
    if (!is_active(coroutine.body)) {
        PyErr_SetString(thread->module->error, "its greenlet was abandoned");  // when the interpreter ended
        return nullptr;
    }
    PyGreenlet* yielder = coroutine.yielder != nullptr ? coroutine.yielder : coroutine.body;
    if (yielder == thread->current) {
        refuse_running(coroutine);
        return nullptr;
    }
    return yielder;
}

// Switches to `yielder`, whose reference it takes over, for the next value. `is_ring`: the running greenlet itself runs
// on behalf of the body.
inline PyObject* switch_for_value(Coroutine& coroutine, PyThreadState* thread_state, PyGreenlet* yielder,
                                  PyObject* value, bool is_ring) {
    Greenlet& body = *coroutine.body->pimpl;
    Thread& thread = *body.thread;
    body.resumer = as_greenlet(Py_NewRef(as_object(thread.current)));
    body.activation->state.nest_in(thread_state);
    if (is_ring) {
        body.activation->state.unnest();  // a ring of frames, or of handled exceptions, would have no end
    }
    coroutine.state = State::running;
    Activation& resumer = *thread.current->pimpl->activation;
    resumer.await(&coroutine);
    resumer.bodies += 1;
    return transfer_by_jump(thread, yielder, value, {});
}

[[gnu::noinline]] PyObject* resume_slowly(Coroutine& coroutine, PyThreadState* thread_state, PyObject* value,
                                          ReturnAs return_as) {
    PyGreenlet* yielder = interpreter::ensure_context(thread_state) ? find_yielder(coroutine) : nullptr;
    if (yielder == nullptr) {
        Py_XDECREF(value);
        return nullptr;
    }
    Py_INCREF(yielder);
    Py_CLEAR(coroutine.yielder);
    coroutine.return_as = return_as;
    bool is_ring = is_part_of(coroutine.body->pimpl->thread->current, coroutine.body);
    return switch_for_value(coroutine, thread_state, yielder, value, is_ring);
}

}  // namespace

int Coroutine::traverse(visitproc visit, void* arg) const noexcept {
    Py_VISIT(body);
    Py_VISIT(yielder);
    return 0;
}

void refuse_running(const Coroutine& coroutine) noexcept {
    PyErr_Format(PyExc_ValueError, "%s already executing", coroutine.kind->name);
}

void Coroutine::unref() noexcept {
    if (body != nullptr) {
        interpreter::ObjectLock lock(as_object(body));  // its thread may be finishing it
        body->pimpl->coroutine = nullptr;
    }
    Py_CLEAR(yielder);
    Py_CLEAR(body);
}

PyObject* start(Coroutine& coroutine, PyObject* function, const Message& message, ReturnAs return_as) noexcept {
    Thread* thread = Thread::running();
    if (thread == nullptr || !interpreter::ensure_context(thread->thread_state)) {
        return nullptr;
    }
    PyGreenlet* body = create(thread->module->greenlet_type, *thread);
    if (body == nullptr) {
        return nullptr;
    }
    Greenlet& greenlet = *body->pimpl;
    greenlet.resumer = std::exchange(greenlet.parent, as_greenlet(Py_NewRef(as_object(thread->main))));
    greenlet.run = Py_NewRef(function);
    greenlet.coroutine = &coroutine;
    greenlet.role = Role::body;
    coroutine.body = body;
    coroutine.owner.set(thread);
    coroutine.return_as = return_as;
    PyObject* value = switch_to(body, message);
    // A body that has been started may be running now, on behalf of another greenlet.
    if (coroutine.state == State::running && !is_started(coroutine.body)) {
        coroutine.unref();  // there was no memory to start the body
    }
    return value;
}

PyObject* resume(Coroutine& coroutine, PyObject* value, ReturnAs return_as) noexcept {
    if (is_refused(coroutine)) {
        Py_XDECREF(value);
        return nullptr;
    }
    PyGreenlet* body = coroutine.body;
    // A ring is only possible if something runs on behalf of the body.
    if (coroutine.state == State::suspended && coroutine.yielder == nullptr && is_plain_switch(body) &&
        body->pimpl->activation->bodies == 0) [[likely]] {
        coroutine.return_as = return_as;
        PyThreadState* thread_state = body->pimpl->thread->thread_state;
        if (interpreter::has_context(thread_state)) [[likely]] {
            return switch_for_value(coroutine, thread_state, as_greenlet(Py_NewRef(as_object(body))), value, false);
        }
    }
    return resume_slowly(coroutine, interpreter::current_thread_state(), value, return_as);
}

PyObject* yield_value(Coroutine& coroutine, Thread& thread, PyObject* value,
                      interpreter::CallInProgress call) noexcept {
    if (thread.is_on_own_stack()) [[unlikely]] {
        Py_DECREF(value);
        refuse_switch_on_own_stack(thread.module->error);
        return nullptr;
    }
    PyGreenlet* body = coroutine.body;
    PyGreenlet* resumer = take_active_resumer(body);
    Activation& awaiting = *resumer->pimpl->activation;
    interpreter::State& state = body->pimpl->activation->state;
    if (thread.current == body) [[likely]] {
        state.unnest(thread.thread_state, awaiting.state);
    }
    else {
        state.unnest();
        coroutine.yielder = as_greenlet(Py_NewRef(as_object(thread.current)));
    }
    coroutine.state = State::suspended;
    awaiting.state.awaits = false;
    return transfer_by_jump(thread, resumer, value, call);
}

namespace {

// The coroutine of a body, if the coroutine is of this kind and the body has a resumer; else nullptr.
Coroutine* coroutine_of(const Greenlet& body, const CoroutineKind& kind) noexcept {
    bool is_it = body.coroutine != nullptr && body.resumer != nullptr && body.coroutine->kind == &kind;
    return is_it ? body.coroutine : nullptr;
}

Coroutine* find_coroutine(Thread& thread, const CoroutineKind& kind, bool through_others) noexcept {
    interpreter::Holding reading(parents_lock);
    auto next = [](const PyGreenlet* g) { return is_body(g) ? g->pimpl->resumer : g->pimpl->parent; };
    CycleDetector detector(thread.current);  // a greenlet that a body started may resume that body
    for (const PyGreenlet* g = thread.current; g != nullptr;) {
        const Greenlet& greenlet = *g->pimpl;
        if (greenlet.role != Role::body) {
            g = greenlet.parent;
        }
        else if (Coroutine* coroutine = coroutine_of(greenlet, kind)) {
            return coroutine;
        }
        else if (greenlet.resumer == nullptr || greenlet.coroutine == nullptr) {
            return nullptr;  // it has no resumer
        }
        else {
            g = through_others ? greenlet.resumer : nullptr;
        }
        if (g != nullptr && detector.closes_at(g, next)) {
            return nullptr;
        }
    }
    return nullptr;
}

}  // namespace

Coroutine* running_coroutine(Thread& thread, const CoroutineKind& kind, bool through_others) noexcept {
    Coroutine* coroutine = coroutine_of(*thread.current->pimpl, kind);
    return coroutine != nullptr ? coroutine : find_coroutine(thread, kind, through_others);
}

namespace {

// resume() with the exception in flight.
PyObject* resume_with_exception(Coroutine& coroutine, ReturnAs return_as) noexcept {
    if (is_refused(coroutine)) {
        return nullptr;
    }
    bool has_yielder = coroutine.yielder != nullptr && is_active(coroutine.yielder);
    PyGreenlet* yielder = has_yielder ? coroutine.yielder : coroutine.body;
    PyThreadState* thread_state = interpreter::current_thread_state();
    bool is_suspended_here = coroutine.state == State::suspended && is_active(yielder) &&
                             yielder->pimpl->thread->thread_state == thread_state &&
                             yielder->pimpl->thread->current != yielder;
    if (is_suspended_here && !coroutine.kind->passes_exceptions_on) {
        interpreter::add_context_of(thread_state, yielder->pimpl->activation->state);
    }
    return resume(coroutine, nullptr, return_as);
}

bool finish_unstarted(Coroutine& coroutine) noexcept {
    return coroutine.state == State::unstarted && coroutine.claim(State::finished);
}

}  // namespace

PyObject* throw_into(Coroutine& coroutine, PyObject* const* arguments, Py_ssize_t count, ReturnAs return_as) noexcept {
    if (count < 1 || count > 3) {
        PyErr_Format(PyExc_TypeError, "throw expected %s, got %zd",
                     count < 1 ? "at least 1 argument" : "at most 3 arguments", count);
        return nullptr;
    }
    if (coroutine.state == State::running) {
        refuse_running(coroutine);
        return nullptr;
    }
    if (!raise(arguments[0], count > 1 ? arguments[1] : nullptr, count > 2 ? arguments[2] : nullptr)) {
        return nullptr;
    }
    if (coroutine.state == State::finished || finish_unstarted(coroutine)) {
        return nullptr;
    }
    return resume_with_exception(coroutine, return_as);
}

PyObject* close(Coroutine& coroutine) noexcept {
    if (coroutine.state == State::finished || finish_unstarted(coroutine)) {
        return Py_NewRef(Py_None);
    }
    if (coroutine.state == State::running) {
        refuse_running(coroutine);
        return nullptr;
    }
    PyErr_SetNone(PyExc_GeneratorExit);
    PyObject* result = resume_with_exception(coroutine, ReturnAs::value);
    if (result != nullptr && coroutine.state != State::finished) {
        Py_DECREF(result);
        PyErr_Format(PyExc_RuntimeError, "%s ignored GeneratorExit", coroutine.kind->name);
        return nullptr;
    }
    if (result == nullptr && PyErr_ExceptionMatches(PyExc_GeneratorExit)) {
        PyErr_Clear();
        return Py_NewRef(Py_None);
    }
    return result;
}

void finalize(Coroutine& coroutine, PyObject* object) noexcept {
    if (coroutine.state != State::suspended) {
        return;
    }
    interpreter::PendingException in_flight;
    Greenlet& body = *coroutine.body->pimpl;
    bool is_here = body.phase == Phase::active && body.thread->thread_state == interpreter::current_thread_state();
    if (!is_here || interpreter::is_finalizing()) {
        return;  // the body ends as greenlets do, in its own thread
    }
    PyObject* result = close(coroutine);
    if (result == nullptr) {
        PyErr_WriteUnraisable(object);
    }
    Py_XDECREF(result);
}

}  // namespace core
