// CPython 3.11 to 3.15: how much of its value stack a suspended frame owns, and where on it the argument of a call is.
//
// A frame's values lie in `localsplus`: its variables first, then its value stack. The versions up to 3.13 and those
// from 3.14 on have nothing in common here, so each have a file of their own.

#pragma once

#include "interpreter/frames/call_in_progress.hpp"
#include "interpreter/frames/frame.hpp"

namespace interpreter {

// How many values, from the first variable on, a suspended frame surely owns. -1 if the frame must not be touched.
// `callee` is the next frame inwards, or nullptr. `call` suspended the greenlet.
inline Py_ssize_t owned_values(const Frame* frame, const Frame* callee, const CallInProgress& call) noexcept;

// The place of the argument, if the code of the running frame calls the C function `called` directly, with that
// argument alone; otherwise nullptr. `args` is what the function was called with.
inline Value* place_of_only_argument(Frame* frame, PyObject* const* args, PyCFunction called) noexcept;

#if PY_VERSION_HEX >= 0x030E0000
// How many values there are, owned or not. 0 if the frame is being cleared.
inline Py_ssize_t all_values(const Frame* frame) noexcept;
#endif

inline bool is_c_function(PyObject* object, PyCFunction function) noexcept {
    return object != nullptr && PyCFunction_CheckExact(object) && PyCFunction_GET_FUNCTION(object) == function;
}

}  // namespace interpreter

#if PY_VERSION_HEX >= 0x030E0000
#include "interpreter/frames/value_stack_3_14.hpp"
#else
#include "interpreter/frames/value_stack_3_11.hpp"
#endif
