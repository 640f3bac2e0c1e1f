// CPython 3.11 to 3.13: the call that suspended a greenlet, as far as the garbage collector needs to know it.
//
// While a C function runs, these versions keep the depth of the calling frame's value stack in a register, so the frame
// of a suspended greenlet does not say how much of the stack is in use. The arguments of the call are the topmost
// values, so their position shows the depth. From 3.14 on the frame says it, and a call in progress is empty.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace interpreter {

#if PY_VERSION_HEX < 0x030E0000

struct CallInProgress {
    PyObject* const* arguments = nullptr;  // positional ones, then the values of keywords; nullptr if not known
    Py_ssize_t count = 0;

    CallInProgress() noexcept = default;
    CallInProgress(PyObject* const* args, Py_ssize_t positional, PyObject* names) noexcept
        : arguments(args), count(positional + (names != nullptr ? PyTuple_GET_SIZE(names) : 0)) {}
};

#else

struct CallInProgress {
    CallInProgress() noexcept = default;
    CallInProgress(PyObject* const*, Py_ssize_t, PyObject*) noexcept {}
};

#endif

}  // namespace interpreter
