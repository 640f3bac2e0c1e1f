// Callable objects that pass for functions: they have attributes, are pickled by name, and are called through
// vectorcall.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace coroutines {

// The object, or the first fields of a larger one.
struct Callable {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject* dict;  // owned; name, documentation and so on, as functools.wraps() sets them
    PyObject* weak_references;
};

// Slots and tables for the classes of such objects.
PyObject* reduce_to_name(PyObject* self, PyObject*);  // __reduce__()
int traverse_callable(PyObject* self, visitproc visit, void* arg);
int clear_callable(PyObject* self);
void deallocate_callable(PyObject* self);
extern PyMethodDef callable_methods[];
extern PyMemberDef callable_offsets[];

}  // namespace coroutines
