// The type's slots for the garbage collector and for the last reference to a greenlet.

#pragma once

#include "core/greenlet.hpp"

namespace core {

void deallocate(PyObject* self);
int traverse(PyObject* self, visitproc visit, void* arg);
int clear(PyObject* self);
void finalize(PyObject* self);

}  // namespace core
