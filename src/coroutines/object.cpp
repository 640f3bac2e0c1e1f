#include "coroutines/object.hpp"

#include "interpreter/pending_exception.hpp"

namespace coroutines {

namespace {

// Drops a reference that another thread may drop at the same time.
void drop_shared(Object& object, PyObject*& reference) noexcept {
    PyObject* old = interpreter::SharedReference(reinterpret_cast<PyObject*>(&object), reference).exchange(nullptr);
    Py_XDECREF(old);
}

}  // namespace

PyObject* make(PyTypeObject* type, const core::CoroutineKind& kind, PyObject* function,
               const core::Message& message) noexcept {
    Py_ssize_t named = message.keyword_names != nullptr ? PyTuple_GET_SIZE(message.keyword_names) : 0;
    Py_ssize_t count = message.positional + named;
    auto* self = PyObject_GC_NewVar(Object, type, count);
    if (self == nullptr) {
        return nullptr;
    }
    self->coroutine = core::Coroutine{&kind, nullptr, nullptr, core::Coroutine::State::unstarted, core::ReturnAs::value,
                                      {}};
    self->function = Py_NewRef(function);
    self->task = nullptr;
    self->keyword_names = Py_XNewRef(message.keyword_names);
    self->name = nullptr;
    self->qualified_name = nullptr;
    self->weak_references = nullptr;
    for (Py_ssize_t i = 0; i < count; ++i) {
        self->arguments[i] = Py_NewRef(message.arguments[i]);
    }
    PyObject_GC_Track(self);
    return reinterpret_cast<PyObject*>(self);
}

void drop_arguments(Object& object) noexcept {
    interpreter::PendingException in_flight;
    Py_ssize_t count = Py_SIZE(&object);
    for (Py_ssize_t i = 0; i < count; ++i) {
        drop_shared(object, object.arguments[i]);
    }
    drop_shared(object, object.keyword_names);
}

}  // namespace coroutines
