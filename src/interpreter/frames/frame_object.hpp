// CPython 3.11 to 3.15: the frame object of a suspended greenlet, its `gr_frame`.

#pragma once

#include "interpreter/state.hpp"

namespace interpreter {

// The frame object of the innermost frame that Python code can see: a new reference. nullptr if there is no such frame,
// or with an exception if memory ran out. `state` belongs to a suspended greenlet.
PyFrameObject* innermost_frame_object(PyThreadState* ts, const State& state) noexcept;

// The frame object of a function's call that has not begun, at its first line: a new reference. The frame of a callable
// that has no code is of an empty function with its `name`. nullptr with an exception.
PyObject* frame_before_call(PyObject* function, PyObject* name) noexcept;

}  // namespace interpreter
