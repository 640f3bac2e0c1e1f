// The parts of the class greenlet.greenlet, one file each. type.cpp puts them together.

#pragma once

#include "core/greenlet.hpp"

namespace module {

inline core::Greenlet& of(PyObject* self) noexcept { return *core::as_greenlet(self)->pimpl; }

// make.cpp
PyObject* greenlet_new(PyTypeObject* type, PyObject* args, PyObject* kwargs);
int greenlet_init(PyObject* self, PyObject* args, PyObject* kwargs);
PyObject* greenlet_vectorcall(PyObject* type, PyObject* const* args, std::size_t flagged_count, PyObject* names);

// switch.cpp
extern PyMethodDef greenlet_methods[];

// attributes.cpp
extern PyGetSetDef greenlet_attributes[];
int set_run(PyObject* self, PyObject* value, void*);
int set_parent(PyObject* self, PyObject* value, void*);

}  // namespace module
