// What the files of the class tasklet share.

#pragma once

#include "stackless/tasklet.hpp"

namespace stackless {

extern PyMethodDef tasklet_methods[];
extern PyGetSetDef tasklet_attributes[];

inline Tasklet& tasklet_of(PyObject* self) noexcept { return *as_tasklet(self); }

// Parses func, args and kwargs into `values`: nullptr for those that are None or not given. False with an exception.
bool parse_binding(PyObject* args, PyObject* kwargs, const char* format, PyObject** values) noexcept;

// setup() and the call of a tasklet.
PyObject* tasklet_setup(PyObject* self, PyObject* args, PyObject* kwargs);

PyObject* tasklet_reduce(PyObject* self, PyObject*);
PyObject* tasklet_setstate(PyObject* self, PyObject* state);

}  // namespace stackless
