// What switching, finishing and killing a greenlet do for coroutines. The layers of core below them see coroutines
// through this header only.

#pragma once

#include <utility>

#include "core/greenlet.hpp"
#include "core/thread.hpp"

namespace core {

// For the running greenlet, which was resumed by others than the coroutine it awaits. If the coroutine's body has come
// to wait for the greenlet itself, the greenlet stops waiting, as if the coroutine had yielded: true. Must be called
// before other code runs: in a ring the search for the handled exception would never end.
bool stop_waiting_in_ring(Coroutine& coroutine, Thread& thread) noexcept;

// What resume() returns when the coroutine has not yielded: it has finished, or another greenlet switched to the
// resumer. Takes over the value.
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
