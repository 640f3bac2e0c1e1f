// CPython 3.11 to 3.15: abandoning the frames of greenlets that will never run again, because their thread has ended.

#pragma once

#include "interpreter/frames/call_in_progress.hpp"
#include "interpreter/state.hpp"

namespace interpreter {

// To be called for a suspended greenlet whose thread state is about to be freed. In some versions all frames lead to
// one that lies in the thread state. Cuts that one off.
void leave_thread_state(State& state, const PyThreadState* ts) noexcept;

// Releases what the frames of a greenlet own, without running them. A frame object with other references becomes the
// owner of its frame, so the frame stays readable. A generator that was running is finished. References that only C
// functions of the greenlet know are lost.
void abandon_frames(State& state, const CallInProgress& call) noexcept;

}  // namespace interpreter
