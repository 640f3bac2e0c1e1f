#include "aio/await.hpp"

#include <utility>

#include "aio/object.hpp"
#include "aio/state.hpp"
#include "core/gc_root.hpp"
#include "interpreter/frames/early_release.hpp"
#include "interpreter/handled_exception.hpp"
#include "interpreter/modules.hpp"
#include "interpreter/native_coroutine.hpp"
#include "interpreter/pending_exception.hpp"

namespace aio {

using core::GcRoot;
using core::Reference;
using core::Thread;

bool is_awaitable(PyObject* object) noexcept {
    const PyAsyncMethods* methods = Py_TYPE(object)->tp_as_async;
    return (methods != nullptr && methods->am_await != nullptr) || interpreter::is_awaitable_generator(object);
}

namespace {

core::Coroutine* find_portal(Thread& thread) { return core::running_coroutine(thread, coroutine_kind, true); }

// True if asyncio is imported, and none of its loops runs in this thread.
bool is_beside_asyncio() {
    Reference asyncio = Reference::steal(interpreter::imported_module("asyncio"));
    Reference loop = Reference::steal(asyncio ? PyObject_CallMethod(asyncio.get(), "_get_running_loop", nullptr)
                                              : nullptr);
    PyErr_Clear();
    return loop && loop.get() == Py_None;
}

void raise_no_portal() {
    const char* elsewhere = is_beside_asyncio() ? "; in another thread than an asyncio loop's, call "
                                                  "`asyncio.run_coroutine_threadsafe(awaitable, loop).result()`"
                                                : "";
    PyErr_Format(PyExc_RuntimeError,
                 "no portal to an event loop here: call the function that awaits with "
                 "`await greenlet.aio.run(function, ...)`, or say `await greenlet.aio.ensure_portal()` "
                 "in the task first%s",
                 elsewhere);
}

// The iterator that `await` drives. Empty with an exception.
Reference iterator_of(PyObject* awaitable) {
    if (PyCoro_CheckExact(awaitable)) {
        if (interpreter::is_suspended(awaitable)) {
            PyErr_SetString(PyExc_RuntimeError, "coroutine is being awaited already");
            return {};
        }
        return Reference::borrow(awaitable);
    }
    if (!is_awaitable(awaitable)) {
        PyErr_Format(PyExc_TypeError, "object %.100s can't be used in await_()", Py_TYPE(awaitable)->tp_name);
        return {};
    }
    const PyAsyncMethods* methods = Py_TYPE(awaitable)->tp_as_async;
    if (methods == nullptr || methods->am_await == nullptr) {
        return Reference::borrow(awaitable);  // a generator
    }
    Reference iterator = Reference::steal(methods->am_await(awaitable));
    if (iterator && (PyCoro_CheckExact(iterator.get()) || interpreter::is_awaitable_generator(iterator.get()))) {
        PyErr_SetString(PyExc_TypeError, "__await__() returned a coroutine");
        return {};
    }
    if (iterator && !PyIter_Check(iterator.get())) {
        PyErr_Format(PyExc_TypeError, "__await__() returned non-iterator of type '%.100s'",
                     Py_TYPE(iterator.get())->tp_name);
        return {};
    }
    return iterator;
}

// Calls a method of an iterator: its result, or empty with an exception. If there is no such method, clears `has` and
// sets no exception.
Reference call_method(PyObject* iterator, PyObject* name, PyObject* argument, bool& has) {
    Reference method = Reference::steal(PyObject_GetAttr(iterator, name));
    has = bool(method);
    if (!method) {
        if (PyErr_ExceptionMatches(PyExc_AttributeError)) {
            PyErr_Clear();
        }
        else {
            has = true;
        }
        return {};
    }
    return Reference::steal(argument != nullptr ? PyObject_CallOneArg(method.get(), argument)
                                                : PyObject_CallNoArgs(method.get()));
}

// While one is in scope, code sees the exception that the greenlet's resumer handles, not the one that the greenlet
// handles.
class HandledHidden {
public:
    explicit HandledHidden(Thread& thread) noexcept
        : place_(interpreter::find_handled(thread.thread_state->exc_info, thread.current->pimpl->activation->state)),
          exception_(thread,
                     Reference::steal(place_ != nullptr ? std::exchange(place_->exc_value, nullptr) : nullptr)) {}
    HandledHidden(const HandledHidden&) = delete;
    HandledHidden& operator=(const HandledHidden&) = delete;
    ~HandledHidden() {
        if (place_ != nullptr) {
            Reference old = Reference::steal(std::exchange(place_->exc_value, Py_NewRef(exception_.get())));
        }
    }

private:
    _PyErr_StackItem* place_;
    GcRoot exception_;
};

// Throws the exception in flight into an iterator, as `await` does.
PySendResult throw_into(Thread& thread, PyObject* iterator, PyObject** result) {
    const core::ModuleState& module = *thread.module;
    *result = nullptr;
    HandledHidden handled(thread);
    bool closes = PyErr_ExceptionMatches(PyExc_GeneratorExit);
    Reference exception = Reference::steal(interpreter::take_exception());
    bool has;
    Reference value = call_method(iterator, closes ? layer.of(module).name_close : layer.of(module).name_throw,
                                  closes ? nullptr : exception.get(), has);
    if (closes ? !has || value : !has) {
        interpreter::put_exception(exception.release());
        return PYGEN_ERROR;
    }
    if (value) {
        *result = value.release();
        return PYGEN_NEXT;
    }
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) {
        return PYGEN_ERROR;
    }
    Reference stop = Reference::steal(interpreter::take_exception());
    PyObject* returned = reinterpret_cast<PyStopIterationObject*>(stop.get())->value;
    *result = Py_NewRef(returned != nullptr ? returned : Py_None);  // a subclass may not have set it
    return PYGEN_RETURN;
}

// The portal, if it belongs to the running task. Finding that out may run code, which may end the portal.
inline core::Coroutine* find_own_portal(Thread& thread) {
    core::Coroutine* portal = find_portal(thread);
    Answer answer = portal != nullptr ? is_of_running_task(*portal, thread) : Answer::no;
    if (answer == Answer::yes) [[likely]] {
        return portal;
    }
    return answer == Answer::yes_after_calls && find_portal(thread) == portal ? portal : nullptr;
}

// Drives an iterator to its end. Begins by sending `received`, or by throwing the exception in flight if `received` is
// empty.
PyObject* drive(Thread& thread, Reference awaited, Reference received, interpreter::CallInProgress call) {
    GcRoot held(thread, std::move(awaited));
    PyObject* iterator = held.get();
    for (;;) {
        PyObject* result;
        PySendResult how = received ? PyIter_Send(iterator, received.get(), &result)
                                    : throw_into(thread, iterator, &result);
        if (how != PYGEN_NEXT) {
            if (how == PYGEN_ERROR && !received) {
                interpreter::add_context(thread.thread_state, thread.current->pimpl->activation->state);
            }
            return result;
        }
        received = Reference();  // its destructor may run code that suspends the portal elsewhere
        // The portal is looked up each time. If the running greenlet is the body of a generator, the awaitable may have
        // moved it into another task.
        core::Coroutine* portal = find_own_portal(thread);
        if (portal == nullptr) [[unlikely]] {
            Py_DECREF(result);
            raise_no_portal();
            continue;
        }
        received = Reference::steal(core::yield_value(*portal, thread, result, call));
    }
}

}  // namespace

bool has_portal(Thread& thread) noexcept { return find_own_portal(thread) != nullptr; }

bool check_portal(Thread& thread) noexcept {
    if (find_portal(thread) != nullptr) [[likely]] {
        return true;
    }
    raise_no_portal();
    return false;
}

PyObject* await(Thread& thread, PyObject* awaitable, interpreter::CallInProgress call) noexcept {
    Reference iterator = iterator_of(awaitable);
    return iterator ? drive(thread, std::move(iterator), Reference::borrow(Py_None), call) : nullptr;
}

PyObject* await_argument(Thread& thread, PyObject* const* args, PyCFunction called) noexcept {
    Reference iterator = iterator_of(args[0]);
    if (iterator && iterator.get() != args[0]) {
        Reference given_up = Reference::steal(interpreter::take_argument(thread.thread_state, args, called));
    }
    return iterator ? drive(thread, std::move(iterator), Reference::borrow(Py_None), {args, 1, nullptr}) : nullptr;
}

PyObject* take_over(Thread& thread, PyObject* coroutine) noexcept {
    Reference received;
    {
        GcRoot nothing(thread, Reference());  // what the portal awaits, for cr_await
        received = Reference::steal(core::yield_value(*find_portal(thread), thread, Py_NewRef(Py_None), {}));
    }
    return drive(thread, Reference::borrow(coroutine), std::move(received), {});
}

}  // namespace aio
