// CPython 3.11 to 3.15: the frame object of a suspended greenlet, its `gr_frame`.

#pragma once

#include "interpreter/state.hpp"

namespace interpreter {

// The frame object of the innermost frame that Python code can see: a new reference. nullptr if there is no such frame,
// or with an exception if memory ran out. `state` belongs to a suspended greenlet.
PyFrameObject* innermost_frame_object(PyThreadState* ts, const State& state) noexcept;

}  // namespace interpreter
