// CPython 3.11 to 3.15: native coroutines, and the generators that types.coroutine() makes awaitable.

#pragma once

#include "interpreter/versions/cpython.hpp"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <internal/pycore_frame.h>
#pragma GCC diagnostic pop

namespace interpreter {

// True if a native coroutine is in the middle of awaiting something.
inline bool is_suspended(PyObject* coroutine) noexcept {
    auto state = reinterpret_cast<PyCoroObject*>(coroutine)->cr_frame_state;
#if PY_VERSION_HEX >= 0x030D0000
    return FRAME_STATE_SUSPENDED(state);
#else
    return state == FRAME_SUSPENDED;
#endif
}

// True if the object is a generator that can be awaited.
inline bool is_awaitable_generator(PyObject* object) noexcept {
    if (!PyGen_CheckExact(object)) {
        return false;
    }
    auto* generator = reinterpret_cast<PyGenObject*>(object);
#if PY_VERSION_HEX >= 0x030C0000
    PyCodeObject* code = PyGen_GetCode(generator);
    Py_DECREF(code);  // the generator has another reference
#else
    PyCodeObject* code = generator->gi_code;
#endif
    return (code->co_flags & CO_ITERABLE_COROUTINE) != 0;
}

}  // namespace interpreter
