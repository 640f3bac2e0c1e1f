#include "coroutines/methods.hpp"

namespace coroutines {

using core::Coroutine;
using core::ReturnAs;
using State = core::Coroutine::State;

namespace {

// Up to this many arguments are moved to the body's stack. More would need too much of it, so they are copied to a
// tuple.
constexpr Py_ssize_t most_given = 64;

[[gnu::noinline]] PyObject* begin(Object& object, PyObject* value, ReturnAs return_as) {
    if (value != Py_None) {
        PyErr_Format(PyExc_TypeError, "can't send non-None value to a just-started %s", object.coroutine.kind->name);
        return nullptr;
    }
    Coroutine& coroutine = object.coroutine;
    if (!coroutine.claim(State::running)) {
        core::refuse_running(coroutine);
        return nullptr;
    }
    if (coroutine.kind->running_task != nullptr) {
        core::Thread* thread = core::Thread::running();
        object.task = thread != nullptr ? coroutine.kind->running_task(*thread) : nullptr;
    }
    Py_ssize_t named = object.keyword_names != nullptr ? PyTuple_GET_SIZE(object.keyword_names) : 0;
    core::Message message{object.arguments, Py_SIZE(&object) - named, object.keyword_names};
    message.gives_arguments = Py_SIZE(&object) <= most_given;
    PyObject* result = core::start(coroutine, object.function, message, return_as);
    if (coroutine.state == State::running && coroutine.body == nullptr) {
        coroutine.state = State::unstarted;
    }
    else {
        drop_arguments(object);
    }
    return result;
}

[[gnu::noinline]] PyObject* after_the_end(const Coroutine& coroutine, ReturnAs return_as) {
    if (coroutine.kind->is_awaited_once) {
        PyErr_Format(PyExc_RuntimeError, "cannot reuse already awaited %s", coroutine.kind->name);
        return nullptr;
    }
    if (return_as == ReturnAs::value) {
        return Py_NewRef(Py_None);
    }
    if (return_as == ReturnAs::stop_iteration) {
        PyErr_SetNone(PyExc_StopIteration);
    }
    return nullptr;
}

// Starts the body or resumes it with a value, which is borrowed, until it yields or ends.
PyObject* resume(PyObject* self, PyObject* value, ReturnAs return_as) noexcept {
    Coroutine& coroutine = of(self).coroutine;
    if (coroutine.state == State::unstarted) {
        return begin(of(self), value, return_as);
    }
    if (coroutine.state == State::finished) {
        return after_the_end(coroutine, return_as);
    }
    return core::resume(coroutine, Py_NewRef(value), return_as);
}

}  // namespace

PyObject* next(PyObject* self) { return resume(self, Py_None, ReturnAs::iternext); }

PySendResult am_send(PyObject* self, PyObject* value, PyObject** result) {
    *result = resume(self, value, ReturnAs::value);
    return core::send_result(of(self).coroutine, *result);
}

PyObject* send(PyObject* self, PyObject* value) { return resume(self, value, ReturnAs::stop_iteration); }

PyObject* throw_into(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
    Coroutine& coroutine = of(self).coroutine;
    if (coroutine.state == State::finished && coroutine.kind->is_awaited_once) {
        return after_the_end(coroutine, ReturnAs::stop_iteration);
    }
    PyObject* result = core::throw_into(coroutine, arguments, count, ReturnAs::stop_iteration);
    if (coroutine.state == State::finished) {
        drop_arguments(of(self));
    }
    return result;
}

PyObject* close(PyObject* self, PyObject*) {
    PyObject* result = core::close(of(self).coroutine);
    if (of(self).coroutine.state == State::finished) {
        drop_arguments(of(self));
    }
    return result;
}

PyObject* refuse_reduction(PyObject* self, PyObject*) {
    PyErr_Format(PyExc_TypeError, "cannot pickle '%s' object", Py_TYPE(self)->tp_name);
    return nullptr;
}

}  // namespace coroutines
