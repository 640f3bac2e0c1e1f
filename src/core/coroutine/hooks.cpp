#include "core/coroutine/hooks.hpp"

#include <utility>

#include "core/coroutine/coroutine.hpp"
#include "core/coroutine/cycle_detector.hpp"
#include "core/reference.hpp"
#include "core/transfer.hpp"
#include "interpreter/pending_exception.hpp"

namespace core {

namespace {

using State = Coroutine::State;

// Raises StopIteration(value). PyErr_SetObject(PyExc_StopIteration, value) differs for two values: it would unpack a
// tuple into several arguments, and would raise an exception instead of wrapping it.
void raise_stop_iteration(PyObject* value) {
    PyObject* exception = value != Py_None ? PyObject_CallOneArg(PyExc_StopIteration, value)
                                           : PyObject_CallNoArgs(PyExc_StopIteration);
    if (exception != nullptr) {
        PyErr_SetObject(PyExc_StopIteration, exception);
        Py_DECREF(exception);
    }
}

// A StopIteration that the function raised would look to the resumer as if the function had returned.
void replace_stop_iteration(const char* name) {
    Reference cause = Reference::steal(interpreter::take_exception());
    PyErr_Format(PyExc_RuntimeError, "%s raised StopIteration", name);
    Reference error = Reference::steal(interpreter::take_exception());
    PyException_SetContext(error.get(), Py_NewRef(cause.get()));
    PyException_SetCause(error.get(), cause.release());
    interpreter::put_exception(error.release());
}

// The body that a greenlet waits for, or nullptr.
const PyGreenlet* awaited_body(const PyGreenlet* g) noexcept {
    const Activation* activation = g->pimpl->activation;
    const Coroutine* coroutine = activation != nullptr && activation->state.awaits ? activation->awaited : nullptr;
    return coroutine != nullptr && coroutine->state == State::running ? coroutine->body : nullptr;
}

// True if the bodies that a greenlet waits for, directly and through others, form a ring.
bool waits_in_ring(const PyGreenlet* g) noexcept {
    CycleDetector detector(g);
    while ((g = awaited_body(g)) != nullptr) {
        if (detector.closes_at(g, awaited_body)) {
            return true;
        }
    }
    return false;
}

const PyGreenlet* resumer_of(const PyGreenlet* g) noexcept { return g->pimpl->resumer; }

// True if the running greenlet still waits for the coroutine.
bool waits_for(const Coroutine& coroutine, const Thread& thread) noexcept {
    return coroutine.state == State::running && coroutine.body->pimpl->resumer == thread.current;
}

PyObject* raise_ring(const Coroutine& coroutine, const Thread& thread, PyObject* value) noexcept {
    if (value != nullptr) {
        Py_DECREF(value);
        PyErr_Format(thread.module->error, "the %s waits for the greenlet that resumed it", coroutine.kind->name);
    }
    return nullptr;
}

// What resume() returns at the end of a coroutine. Takes over the value.
PyObject* returned(Coroutine& coroutine, PyObject* value) noexcept {
    if (coroutine.body != nullptr) {
        interpreter::PendingException in_flight;
        coroutine.unref();
    }
    if (value == nullptr || coroutine.return_as == ReturnAs::value) {
        return value;
    }
    if (value != Py_None || coroutine.return_as == ReturnAs::stop_iteration) {
        raise_stop_iteration(value);
    }
    Py_DECREF(value);
    return nullptr;
}

}  // namespace

bool stop_waiting_in_ring(Coroutine& coroutine, Thread& thread) noexcept {
    if (!waits_in_ring(thread.current)) {
        return false;
    }
    Greenlet& body = *coroutine.body->pimpl;
    thread.current->pimpl->activation->state.awaits = false;
    coroutine.state = State::suspended;
    body.activation->state.unnest();
    Py_XDECREF(take_resumer(coroutine.body));  // the resumer is the running greenlet
    return true;
}

PyObject* awaited_otherwise(Coroutine& coroutine, Thread& thread, PyObject* value, bool was_in_ring) noexcept {
    if (was_in_ring) {
        return raise_ring(coroutine, thread, value);
    }
    if (waits_for(coroutine, thread)) {
        thread.current->pimpl->activation->await(&coroutine);
        return stop_waiting_in_ring(coroutine, thread) ? raise_ring(coroutine, thread, value)
                                                       : transfer(thread, coroutine.body, value, {});
    }
    // A trace function may have resumed it meanwhile.
    return coroutine.state == State::finished ? returned(coroutine, value) : value;
}

void unnest_awaited(const PyGreenlet* g) noexcept {
    const PyGreenlet* body = awaited_body(g);
    if (body != nullptr && body->pimpl->activation != nullptr) {
        body->pimpl->activation->state.unnest();
    }
}

bool is_part_of(const PyGreenlet* g, const PyGreenlet* body) noexcept {
    CycleDetector detector(g);
    while (g != body) {
        g = resumer_of(g);
        if (g == nullptr || detector.closes_at(g, resumer_of)) {
            return false;
        }
    }
    return true;
}

PyGreenlet* take_resumer(PyGreenlet* body) noexcept {
    const PyGreenlet* resumer = body->pimpl->resumer;
    bool has_activation = resumer != nullptr && resumer->pimpl->activation != nullptr;
    return has_activation ? take_active_resumer(body) : std::exchange(body->pimpl->resumer, nullptr);
}

PyGreenlet* outermost_resumer(PyGreenlet* g) noexcept {
    PyGreenlet* outer = g;
    CycleDetector detector(g);
    while (PyGreenlet* resumer = outer->pimpl->resumer) {
        outer = resumer;
        if (detector.closes_at(outer, resumer_of)) {
            return g;
        }
    }
    return outer;
}

PyObject* finish_body(PyGreenlet* body, PyObject* result) noexcept {
    bool is_awaited = body->pimpl->resumer != nullptr;
    const CoroutineKind* kind = nullptr;
    {
        interpreter::ObjectLock lock(as_object(body));  // another thread may be releasing the coroutine
        // From here on the body has no coroutine: code that runs because of a release can't yield.
        if (Coroutine* coroutine = std::exchange(body->pimpl->coroutine, nullptr)) {
            kind = coroutine->kind;
            coroutine->state = State::finished;
        }
    }
    if (result != nullptr) {
        return result;
    }
    if (!is_awaited && PyErr_ExceptionMatches(PyExc_GeneratorExit)) {
        PyErr_Clear();  // it was killed
        return Py_NewRef(Py_None);
    }
    if (is_awaited && kind != nullptr && PyErr_ExceptionMatches(PyExc_StopIteration)) {
        replace_stop_iteration(kind->name);
    }
    return nullptr;
}

}  // namespace core
