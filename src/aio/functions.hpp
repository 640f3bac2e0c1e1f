// The functions of greenlet.aio.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace aio {

// The functions that are not coroutine functions.
extern PyMethodDef functions[];

// Coroutine functions: each is the vectorcall of a callable (aio/function.hpp). python/greenlet/aio.py documents them.
PyObject* run(PyObject*, PyObject* const* args, std::size_t flagged_count, PyObject* names);
PyObject* portal(PyObject*, PyObject* const* args, std::size_t flagged_count, PyObject* names);

}  // namespace aio
