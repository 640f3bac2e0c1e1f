#include "coroutines/object.hpp"

#include <cstddef>
#include <utility>

#include "core/reference.hpp"
#include "interpreter/pending_exception.hpp"
#include "python/define.hpp"

#include <structmember.h>  // after Python.h

namespace coroutines {

using core::ReturnAs;
using core::Coroutine;
using core::Reference;
using State = core::Coroutine::State;

namespace {

// More are copied: they would need too much of the stack.
constexpr Py_ssize_t most_given = 64;

// Two threads may do so at once.
void drop_shared(Object& object, PyObject*& reference) noexcept {
    PyObject* old = interpreter::SharedReference(reinterpret_cast<PyObject*>(&object), reference).exchange(nullptr);
    Py_XDECREF(old);
}

void drop_arguments(Object& object) noexcept {
    interpreter::PendingException in_flight;
    Py_ssize_t count = Py_SIZE(&object);
    for (Py_ssize_t i = 0; i < count; ++i) {
        drop_shared(object, object.arguments[i]);
    }
    drop_shared(object, object.keyword_names);
}

[[gnu::noinline]] PyObject* begin(Object& object, PyObject* value, ReturnAs return_as) {
    if (value != Py_None) {
        PyErr_Format(PyExc_TypeError, "can't send non-None value to a just-started %s",
                     object.coroutine.kind->name);
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

PyObject* attribute_of_function(PyObject* self, const char* name, PyObject* fallback) {
    PyObject* value = PyObject_GetAttrString(of(self).function, name);
    if (value == nullptr && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        return Py_NewRef(fallback);
    }
    return value;
}

PyObject* get_name_attribute(PyObject* self, PyObject*& own_name, const char* attribute) {
    PyObject* name = interpreter::SharedReference(self, own_name).get();
    return name != nullptr ? name
                           : attribute_of_function(self, attribute, reinterpret_cast<PyObject*>(Py_TYPE(of(self).function)));
}

int set_name_attribute(PyObject* self, PyObject*& name, PyObject* value, const char* attribute) {
    if (value == nullptr || !PyUnicode_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s must be set to a string object", attribute);
        return -1;
    }
    PyObject* old = interpreter::SharedReference(self, name).exchange(Py_NewRef(value));
    Py_XDECREF(old);
    return 0;
}

// --- slots that all classes have -------------------------------------------------------------------------------------

int traverse(PyObject* self, visitproc visit, void* arg) {
    Object& object = of(self);
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(object.function);
    for (Py_ssize_t i = 0; i < Py_SIZE(self); ++i) {
        Py_VISIT(object.arguments[i]);
    }
    return object.coroutine.traverse(visit, arg);
}

int clear(PyObject* self) {
    Object& object = of(self);
    if (object.coroutine.state != State::running) {
        drop_arguments(object);
        object.coroutine.state = State::finished;
        object.coroutine.unref();
    }
    return 0;
}

void finalize(PyObject* self) {
    Coroutine& coroutine = of(self).coroutine;
    if (coroutine.state == State::unstarted && coroutine.kind->is_awaited_once) {
        interpreter::PendingException in_flight;
        Reference name = Reference::steal(get_qualified_name(self, nullptr));
        if (!name || PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "%s '%S' was never awaited", coroutine.kind->name,
                                      name.get()) < 0) {
            PyErr_WriteUnraisable(self);
        }
    }
    core::finalize(coroutine, self);
}

// Runs what is left of its body. False if it is referenced again.
bool is_to_go(PyObject* self) {
    PyObject_GC_Track(self);
    if (of(self).coroutine.state != State::finished && PyObject_CallFinalizerFromDealloc(self) < 0) {
        return false;
    }
    PyObject_GC_UnTrack(self);
    return true;
}

void release(PyObject* self) {
    Object& object = of(self);
    if (object.weak_references != nullptr) {
        PyObject_ClearWeakRefs(self);
    }
    drop_arguments(object);
    object.coroutine.unref();
    Py_CLEAR(object.function);
    Py_CLEAR(object.name);
    Py_CLEAR(object.qualified_name);
    PyTypeObject* type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

// A long chain of them, each an argument of the next one, must not be let go of recursively.
void deallocate(PyObject* self) {
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, deallocate);
    if (is_to_go(self)) {
        release(self);
    }
    Py_TRASHCAN_END;
}

PyObject* repr(PyObject* self) {
    Reference name = Reference::steal(get_qualified_name(self, nullptr));
    return name ? PyUnicode_FromFormat("<%s object %S at %p>", of(self).coroutine.kind->name, name.get(), self) : nullptr;
}

PyMemberDef offsets[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Object, weak_references), READONLY, nullptr},
    {},
};

}  // namespace

PyObject* make(PyTypeObject* type, const core::CoroutineKind& kind, PyObject* function,
               const core::Message& message) noexcept {
    Py_ssize_t named = message.keyword_names != nullptr ? PyTuple_GET_SIZE(message.keyword_names) : 0;
    Py_ssize_t count = message.positional + named;
    auto* self = PyObject_GC_NewVar(Object, type, count);
    if (self == nullptr) {
        return nullptr;
    }
    self->coroutine = Coroutine{&kind, nullptr, nullptr, State::unstarted, ReturnAs::value, {}};
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

PyObject* go_on(PyObject* self, PyObject* value, ReturnAs return_as) noexcept {
    Coroutine& coroutine = of(self).coroutine;
    if (coroutine.state == State::unstarted) {
        return begin(of(self), value, return_as);
    }
    if (coroutine.state == State::finished) {
        return after_the_end(coroutine, return_as);
    }
    return core::resume(coroutine, Py_NewRef(value), return_as);
}

// --- slots -----------------------------------------------------------------------------------------------------------

PyObject* next(PyObject* self) { return go_on(self, Py_None, ReturnAs::iternext); }

PySendResult am_send(PyObject* self, PyObject* value, PyObject** result) {
    *result = go_on(self, value, ReturnAs::value);
    return core::send_result(of(self).coroutine, *result);
}

// --- methods ---------------------------------------------------------------------------------------------------------

PyObject* send(PyObject* self, PyObject* value) { return go_on(self, value, ReturnAs::stop_iteration); }

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

PyObject* refuse_reduction(PyObject* self, PyObject*) {
    PyErr_Format(PyExc_TypeError, "cannot pickle '%s' object", Py_TYPE(self)->tp_name);
    return nullptr;
}

PyObject* close(PyObject* self, PyObject*) {
    PyObject* result = core::close(of(self).coroutine);
    if (of(self).coroutine.state == State::finished) {
        drop_arguments(of(self));
    }
    return result;
}

// --- attributes ------------------------------------------------------------------------------------------------------

PyObject* get_name(PyObject* self, void*) { return get_name_attribute(self, of(self).name, "__name__"); }

int set_name(PyObject* self, PyObject* value, void*) { return set_name_attribute(self, of(self).name, value, "__name__"); }

PyObject* get_qualified_name(PyObject* self, void*) {
    return get_name_attribute(self, of(self).qualified_name, "__qualname__");
}

int set_qualified_name(PyObject* self, PyObject* value, void*) {
    return set_name_attribute(self, of(self).qualified_name, value, "__qualname__");
}

PyObject* get_code(PyObject* self, void*) { return attribute_of_function(self, "__code__", Py_None); }

PyObject* get_frame(PyObject* self, void*) { return core::suspended_frame(of(self).coroutine); }

PyObject* get_none(PyObject*, void*) { Py_RETURN_NONE; }

PyObject* is_running(PyObject* self, void*) { return PyBool_FromLong(of(self).coroutine.state == State::running); }

PyObject* is_suspended(PyObject* self, void*) { return PyBool_FromLong(of(self).coroutine.state == State::suspended); }

// --- what both layers are made of ------------------------------------------------------------------------------------

PyTypeObject* make_type(const Class& description) noexcept {
    PyType_Slot slots[] = {
        {Py_tp_doc, const_cast<char*>(description.documentation)},
        {Py_tp_methods, description.methods},
        {Py_tp_getset, description.attributes},
        {Py_tp_members, offsets},
        {Py_tp_iter, reinterpret_cast<void*>(PyObject_SelfIter)},
        {Py_tp_iternext, reinterpret_cast<void*>(description.next)},
        {Py_am_send, reinterpret_cast<void*>(description.am_send)},
        {Py_tp_repr, reinterpret_cast<void*>(repr)},
        {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
        {Py_tp_clear, reinterpret_cast<void*>(clear)},
        {Py_tp_finalize, reinterpret_cast<void*>(finalize)},
        {Py_tp_dealloc, reinterpret_cast<void*>(deallocate)},
        {description.am_await != nullptr ? Py_am_await : 0, reinterpret_cast<void*>(description.am_await)},
        {0, nullptr},
    };
    PyType_Spec spec{description.name, offsetof(Object, arguments), sizeof(PyObject*),
                     Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
                     slots};
    return python::make_type(spec);
}

}  // namespace coroutines
