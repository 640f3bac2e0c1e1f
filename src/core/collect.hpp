// What the garbage collector and the last reference do with a greenlet object: the slots of the type.

#pragma once

#include "core/greenlet.hpp"

namespace core {

void deallocate(PyObject* self);
int traverse(PyObject* self, visitproc visit, void* arg);
int clear(PyObject* self);
void finalize(PyObject* self);

}  // namespace core
