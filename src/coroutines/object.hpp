// The objects that generators and coroutines are to Python: a core::Coroutine, and the call that starts it.
//
// The two classes are the same but for their names, their documentation and what they do at their ends.

#pragma once

#include "core/coroutine/coroutine.hpp"

namespace coroutines {

struct Object {
    PyObject_VAR_HEAD
    core::Coroutine coroutine;
    PyObject* function;        // owned; what it calls
    const void* task;          // what it was begun in, if the kind cares
    PyObject* keyword_names;   // owned; until it has begun
    PyObject* name;            // owned; nullptr: that of the function
    PyObject* qualified_name;
    PyObject* weak_references;
    PyObject* arguments[1];    // owned; ob_size of them, until it has begun
};

inline Object& of(PyObject* self) noexcept { return *reinterpret_cast<Object*>(self); }

// A new object of a class, that will call function(*arguments): a new reference, or nullptr with an exception.
PyObject* make(PyTypeObject* type, const core::CoroutineKind& kind, PyObject* function,
               const core::Message& message) noexcept;

// As core::resume() and so on, whatever the state. The value is borrowed.
PyObject* go_on(PyObject* self, PyObject* value, core::ReturnAs return_as) noexcept;

// Slots.
PyObject* next(PyObject* self);
PySendResult am_send(PyObject* self, PyObject* value, PyObject** result);

// Methods.
PyObject* send(PyObject* self, PyObject* value);
PyObject* throw_into(PyObject* self, PyObject* const* arguments, Py_ssize_t count);
PyObject* close(PyObject* self, PyObject*);

// Attributes.
PyObject* get_name(PyObject* self, void*);
int set_name(PyObject* self, PyObject* value, void*);
PyObject* get_qualified_name(PyObject* self, void*);
int set_qualified_name(PyObject* self, PyObject* value, void*);
PyObject* get_code(PyObject* self, void*);
PyObject* get_frame(PyObject* self, void*);
PyObject* get_none(PyObject* self, void*);
PyObject* is_running(PyObject* self, void*);
PyObject* is_suspended(PyObject* self, void*);

// What differs between the classes.
struct Class {
    const char* name;
    const char* documentation;
    PyMethodDef* methods;
    PyGetSetDef* attributes;
    iternextfunc next;
    sendfunc am_send;
    unaryfunc am_await;  // or nullptr
};

// A new reference, or nullptr with an exception.
PyTypeObject* make_type(const Class& description) noexcept;

// Raises TypeError, for the method __reduce__() of what can't be pickled or copied. Protocols 0 and 1 would do so otherwise.
PyObject* refuse_reduction(PyObject* self, PyObject*);

}  // namespace coroutines
