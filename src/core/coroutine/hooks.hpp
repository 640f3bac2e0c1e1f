// What the switch, the end and the kill of a greenlet do for coroutines.

#pragma once

#include "core/greenlet.hpp"
#include "core/thread.hpp"

namespace core {

// The running greenlet was not given a value by the coroutine it awaits. If that has come to wait for the greenlet itself, nobody
// waits any more, as if it had given something: true. To be asked before anything else runs: the search for the exception that
// is being handled would never end.
bool stop_waiting_in_ring(Coroutine& coroutine, Thread& thread) noexcept;

// What resume() returns when its caller was not given a value: the coroutine has finished, or somebody else switched to the
// caller. Takes over the value.
PyObject* awaited_otherwise(Coroutine& coroutine, Thread& thread, PyObject* value, bool was_in_ring) noexcept;

// A greenlet is abandoned, and its frames go: the body that it waits for is not part of it any more.
void part_from_awaited(const PyGreenlet* g) noexcept;

// Does a greenlet run on behalf of a body, directly or through others? A body is part of itself.
bool is_part_of(const PyGreenlet* g, const PyGreenlet* body) noexcept;

// A body does not run on behalf of its resumer any more. Returns that one, a reference that was the body's; nullptr if there is none.
PyGreenlet* take_resumer(PyGreenlet* body) noexcept;

// The greenlet at the end of those that wait for each other, down to this one. The same, if they do so in a ring.
PyGreenlet* outermost_resumer(PyGreenlet* g) noexcept;

// What becomes of the result of a body's function, or of its exception in flight: a new reference, or nullptr.
PyObject* finish_body(PyGreenlet* body, PyObject* result) noexcept;

}  // namespace core
