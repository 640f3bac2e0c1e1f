// What generators and coroutines do when a program resumes or closes them: the methods that both classes have.

#pragma once

#include "coroutines/object.hpp"

namespace coroutines {

// Slots.
PyObject* next(PyObject* self);
PySendResult am_send(PyObject* self, PyObject* value, PyObject** result);

// Methods.
PyObject* send(PyObject* self, PyObject* value);
PyObject* throw_into(PyObject* self, PyObject* const* arguments, Py_ssize_t count);
PyObject* close(PyObject* self, PyObject*);

// __reduce__() of an object that can't be pickled or copied: raises TypeError. Without it protocols 0 and 1 would
// pickle the object.
PyObject* refuse_reduction(PyObject* self, PyObject*);

}  // namespace coroutines
