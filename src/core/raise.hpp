// The arguments of a throw() method.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace core {

// Sets the exception that throw(type, value, traceback) asks for. nullptr and None stand for an argument that is not
// given. False with TypeError if the arguments are of the wrong kinds.
bool raise(PyObject* type, PyObject* value, PyObject* traceback) noexcept;

// Adds a note to the exception in flight. Its message stays the one of the reference implementation, because programs
// compare it. Does nothing if memory runs out.
void add_note(const char* format, ...) noexcept;

}  // namespace core
