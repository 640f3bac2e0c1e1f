// Awaiting from an ordinary function.
//
// A *portal* is the coroutine (aio/object.hpp) whose function the running greenlet is part of. The greenlet drives an
// awaitable as `await` does. The values that the awaitable yields are meant for the event loop. The portal yields them
// to its resumer, which is the event loop or a coroutine that awaits the portal, and the awaitable receives what the
// resumer sends. There is no switch unless the awaitable yields.

#pragma once

#include "core/coroutine/coroutine.hpp"

namespace aio {

// True if `await` takes the object.
bool is_awaitable(PyObject* object) noexcept;

// True if there is a portal, and it belongs to the running task.
bool has_portal(core::Thread& thread) noexcept;

// True if there is a portal, of whichever task. False with a RuntimeError.
bool check_portal(core::Thread& thread) noexcept;

// The result of an awaitable: a new reference, or nullptr with an exception. There must be a portal.
PyObject* await(core::Thread& thread, PyObject* awaitable, interpreter::CallInProgress call) noexcept;

// The same for the argument of the C function in progress. Releases the argument as early as `await` does.
PyObject* await_argument(core::Thread& thread, PyObject* const* args, PyCFunction called) noexcept;

// Takes over a coroutine that somebody else has driven so far. Yields None to the resumer, which suspends the coroutine
// meanwhile, and then drives it as await() does. There must be a portal.
PyObject* take_over(core::Thread& thread, PyObject* coroutine) noexcept;

}  // namespace aio
