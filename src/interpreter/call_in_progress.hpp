// The call that suspended a greenlet, as far as the garbage collector needs to know it.
//
// CPython 3.11 to 3.13 keep the depth of a frame's stack of values in a register while a C function runs, so a suspended
// frame does not tell how much of it is in use. But the arguments of the call in progress are the last values on it: where
// they are shows its depth. From 3.14 on the frame itself says, and the instruction in progress says more than the arguments do.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace interpreter {

#if PY_VERSION_HEX < 0x030E0000

struct CallInProgress {
    PyObject* const* arguments = nullptr;  // positional ones, then the values of keywords; nullptr: not known
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
