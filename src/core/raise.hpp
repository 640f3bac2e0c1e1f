// The arguments of a throw() method.

#pragma once

#include "interpreter/state.hpp"

namespace core {

// Raises the exception that throw(type, value, traceback) means; nullptr and None stand for one that is not given. False
// with TypeError if the arguments are not of the right kinds.
bool raise(PyObject* type, PyObject* value, PyObject* traceback) noexcept;

}  // namespace core
