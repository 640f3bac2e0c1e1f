// References that are given up earlier than CPython's calling convention has it.
//
// Who calls a function owns its arguments until that returns. A native generator is different: its arguments belong to its frame
// alone, and what it yields to the consumer alone. To release them as early here, the caller's references have to go.

#pragma once

#include "interpreter/state.hpp"

namespace interpreter {

// How Python functions are called; known after prepare().
inline vectorcallfunc python_call = nullptr;

#if defined(Py_GIL_DISABLED) || defined(Py_REF_DEBUG)

// Counts are not one number here, or are checked.
inline bool makes_own_references(PyObject*, Py_ssize_t) noexcept { return false; }

#else

// Does a callable, called with so many arguments, first of all make references of its own to each, and then release exactly these,
// whatever happens? Python functions do: the frame's. From 3.14 on they need memory first if there are more than a few.
inline bool makes_own_references(PyObject* callable, Py_ssize_t count) noexcept {
    if (PyMethod_Check(callable)) {
        callable = PyMethod_GET_FUNCTION(callable);
        ++count;
    }
    constexpr Py_ssize_t most = PY_VERSION_HEX >= 0x030E0000 ? 8 : 1000;
    return PyFunction_Check(callable) && reinterpret_cast<PyFunctionObject*>(callable)->vectorcall == python_call && count <= most;
}

#endif

// Gives up the caller's reference to an argument of such a callable, immediately before the call. The count may be 0 till then.
inline void give_up(PyObject* argument) noexcept {
    if (Py_REFCNT(argument) > 1) {
        Py_DECREF(argument);
    }
    else {
        Py_SET_REFCNT(argument, 0);
    }
}

// A new reference to the only argument of a function in C that is being called. If Python code calls it, directly, then it is the
// caller's, whose call goes on with None for its argument.
PyObject* take_caller_s_argument(PyThreadState* ts, PyObject* const* args, PyCFunction called) noexcept;

inline PyObject* take_argument(PyThreadState* ts, PyObject* const* args, PyCFunction called) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
    bool lives_anyway = _Py_IsImmortal(args[0]);
#else
    bool lives_anyway = args[0] == Py_None;
#endif
    return lives_anyway ? Py_NewRef(args[0]) : take_caller_s_argument(ts, args, called);
}

}  // namespace interpreter
