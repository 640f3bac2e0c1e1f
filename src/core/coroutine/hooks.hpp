// What switching, finishing and killing a greenlet do for coroutines. The layers of core below them see coroutines
// through this header only.

#pragma once

#include <utility>

#include "core/greenlet.hpp"
#include "core/thread.hpp"

namespace core {

// To be called when something else than the awaited coroutine has resumed the running greenlet, before other code runs.
// True if the coroutine's body has come to wait for the running greenlet, which is a ring: the search for the handled
// exception would never end in it. The greenlet then stops waiting, as if the coroutine had yielded.
bool stop_waiting_in_ring(Coroutine& coroutine, Thread& thread) noexcept;

// What resume() returns when the coroutine has not yielded, because the coroutine has finished or another greenlet has
// switched to the resumer. Takes over the value.
PyObject* awaited_otherwise(Coroutine& coroutine, Thread& thread, PyObject* value, bool was_in_ring) noexcept;

// Unnests the body that an abandoned greenlet waits for, because the greenlet's frames go.
void unnest_awaited(const PyGreenlet* g) noexcept;

// True if a greenlet is the body, or runs on behalf of it, directly or through others.
bool is_part_of(const PyGreenlet* g, const PyGreenlet* body) noexcept;

// Ends the relation of a body to its resumer. Returns the resumer, with the body's reference to it, or nullptr.
PyGreenlet* take_resumer(PyGreenlet* body) noexcept;

// The same for a body that has a resumer, which is active.
inline PyGreenlet* take_active_resumer(PyGreenlet* body) noexcept {
    PyGreenlet* resumer = std::exchange(body->pimpl->resumer, nullptr);
    resumer->pimpl->activation->bodies -= 1;
    return resumer;
}

// The resumer of the resumer, and so on, to the last. `g` itself if they form a ring.
PyGreenlet* outermost_resumer(PyGreenlet* g) noexcept;

// Finishes the coroutine of a body whose function returned `result`, or raised. Returns what the resumer gets: a new
// reference, or nullptr with an exception.
PyObject* finish_body(PyGreenlet* body, PyObject* result) noexcept;

}  // namespace core
