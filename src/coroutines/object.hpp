// The Python object that generators and coroutines share: a core::Coroutine, and the call that starts it.
//
// class.hpp makes the two classes; methods.hpp and attributes.hpp are what they have in common.

#pragma once

#include "core/coroutine/coroutine.hpp"

namespace coroutines {

struct Object {
    PyObject_VAR_HEAD core::Coroutine coroutine;
    PyObject* function;        // owned
    const void* task;          // the task in which the body began, if the kind needs it
    PyObject* keyword_names;   // owned; until the body begins
    PyObject* name;            // owned; nullptr: that of the function
    PyObject* qualified_name;  // owned; the same
    PyObject* weak_references;
    PyObject* arguments[1];  // owned; ob_size of them, until the body begins
};

inline Object& of(PyObject* self) noexcept { return *reinterpret_cast<Object*>(self); }

// A new object of a class, which will call function(*arguments): a new reference, or nullptr with an exception.
PyObject* make(PyTypeObject* type, const core::CoroutineKind& kind, PyObject* function,
               const core::Message& message) noexcept;

// Releases the arguments, unless that has been done.
void drop_arguments(Object& object) noexcept;

}  // namespace coroutines
