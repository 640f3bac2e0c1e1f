// The arguments of a throw() method.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace core {

// Raises the exception that throw(type, value, traceback) means; nullptr and None stand for one that is not given. False
// with TypeError if the arguments are not of the right kinds.
bool raise(PyObject* type, PyObject* value, PyObject* traceback) noexcept;

// Adds a note to the exception in flight, which a traceback shows below its text: for what the reference says in other words, that
// programs may look for. Without memory there is no note.
void add_note(const char* format, ...) noexcept;

}  // namespace core
