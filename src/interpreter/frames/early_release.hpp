// CPython 3.11 to 3.15: references that are released earlier than the calling convention requires.
//
// A caller owns the arguments of a call until that returns. A native generator differs: its frame alone owns its
// arguments, and the consumer alone owns what it yields. To release them as early here, the caller's references have to
// go.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace interpreter {

// How CPython calls Python functions. Set by find_python_call().
inline vectorcallfunc python_call = nullptr;

// Finds python_call from a new function, which no program has changed. To be called at import. False with an exception
// if memory ran out.
bool find_python_call() noexcept;

#if defined(Py_GIL_DISABLED) || defined(Py_REF_DEBUG)

// In these builds a reference count has more than one part (no GIL), or is checked (debug).
inline bool makes_own_references(PyObject*, Py_ssize_t) noexcept { return false; }

#else

// True if the callable, called with `count` arguments, first makes a reference of its own to each, and later releases
// exactly these, whatever happens. Python functions do, for their frames. From 3.14 on they first need memory if there
// are more than a few.
inline bool makes_own_references(PyObject* callable, Py_ssize_t count) noexcept {
    if (PyMethod_Check(callable)) {
        callable = PyMethod_GET_FUNCTION(callable);
        ++count;
    }
    constexpr Py_ssize_t most = PY_VERSION_HEX >= 0x030E0000 ? 8 : 1000;
    return PyFunction_Check(callable) && reinterpret_cast<PyFunctionObject*>(callable)->vectorcall == python_call &&
           count <= most;
}

#endif

// Releases the caller's reference to an argument, immediately before a call for which makes_own_references() is true.
// The count may be 0 until then.
inline void give_up(PyObject* argument) noexcept {
    if (Py_REFCNT(argument) > 1) {
        Py_DECREF(argument);
    }
    else {
        Py_SET_REFCNT(argument, 0);
    }
}

// take_argument(), for an argument that is not immortal.
PyObject* take_caller_s_argument(PyThreadState* ts, PyObject* const* args, PyCFunction called) noexcept;

// A new reference to the only argument of the C function `called`, which is in progress. If Python code called the
// function directly, this is the caller's own reference, and None takes its place there.
inline PyObject* take_argument(PyThreadState* ts, PyObject* const* args, PyCFunction called) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
    bool is_immortal = _Py_IsImmortal(args[0]);
#else
    bool is_immortal = args[0] == Py_None;
#endif
    return is_immortal ? Py_NewRef(args[0]) : take_caller_s_argument(ts, args, called);
}

}  // namespace interpreter
