// CPython 3.11 to 3.15: visiting what a suspended greenlet's frames refer to, for the garbage collector.

#pragma once

#include "interpreter/frames/call_in_progress.hpp"
#include "interpreter/state.hpp"

namespace interpreter {

// Visits the references that a suspended greenlet's frames, and the exceptions they handle, surely own; for
// tp_traverse. A reference that is missed keeps an object alive for longer than needed; one that is visited but not
// owned would free a live object. So where it is unknown how much of a frame's value stack is in use, only its
// variables are visited.
int visit_frames(const State& state, const CallInProgress& call, visitproc visit, void* arg) noexcept;

// True if frames also hold references that are not counted. The garbage collector has to find the objects they refer
// to: it looks at the frames of running greenlets, and visit_frames() shows it those of suspended ones.
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030E0000
inline constexpr bool has_uncounted_references = true;
#else
inline constexpr bool has_uncounted_references = false;
#endif

// Visits only the references that are not counted. `state` belongs to a suspended greenlet.
int visit_uncounted(const State& state, visitproc visit, void* arg) noexcept;

}  // namespace interpreter
