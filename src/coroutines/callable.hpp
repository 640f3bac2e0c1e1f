// Callable objects of ours that pass for functions: with attributes, pickled by name, and called through vectorcall.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace coroutines {

// Such an object, or its beginning.
struct Callable {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject* dict;  // owned; its name, documentation and so on, as functools.wraps() has it
    PyObject* weak_references;
};

// Slots and tables of the type.
PyObject* reduce_to_name(PyObject* self, PyObject*);  // __reduce__()
int traverse_callable(PyObject* self, visitproc visit, void* arg);
int clear_callable(PyObject* self);
void deallocate_callable(PyObject* self);
extern PyMethodDef callable_methods[];
extern PyMemberDef callable_offsets[];

}  // namespace coroutines
