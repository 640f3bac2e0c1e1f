// Awaiting from an ordinary function.
//
// A *portal* is the coroutine (aio/object.hpp) whose function the running greenlet is part of. To await something is to
// iterate over it as `await` does, in the greenlet. What it yields is meant for the event loop: the portal gives it to
// whoever resumed it, which is the event loop or a coroutine that awaits the portal, and what comes back is passed to the
// awaitable. One that yields nothing never leads to a switch.

#pragma once

#include "core/coroutine/coroutine.hpp"

namespace aio {

// Does `await` take it?
bool is_awaitable(PyObject* object) noexcept;

// Is there a portal, and is it that of the running task?
bool has_portal(core::Thread& thread) noexcept;

// Is there a portal? If not, raises RuntimeError. Whose it is is found out when it is needed.
bool check_portal(core::Thread& thread) noexcept;

// The result of an awaitable: a new reference, or nullptr with an exception. There is a portal.
PyObject* await(core::Thread& thread, PyObject* awaitable, interpreter::CallInProgress call) noexcept;

// The same for the argument of a function in C that is being called. Releases it when `await` does.
PyObject* await_argument(core::Thread& thread, PyObject* const* args, PyCFunction called) noexcept;

// Takes over a coroutine that is suspended, or about to be, and that others drove till now: gives None to the resumer, and
// then goes on with it as await() does. There is a portal.
PyObject* take_over(core::Thread& thread, PyObject* coroutine) noexcept;

}  // namespace aio
