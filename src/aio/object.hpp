// The coroutine object: an event loop treats it like the call of an `async def` function, but it runs an ordinary
// function.

#pragma once

#include "aio/task.hpp"
#include "core/coroutine/coroutine.hpp"

namespace aio {

extern const core::CoroutineKind coroutine_kind;

// A new coroutine that will call function(*arguments): a new reference, or nullptr with an exception.
PyObject* make_coroutine(core::ModuleState& state, PyObject* function, const core::Message& message) noexcept;

// Whether a coroutine began in the running task.
Answer is_of_running_task(const core::Coroutine& coroutine, core::Thread& thread) noexcept;

// Gives a coroutine the __name__ and __qualname__ of another object, as far as that has them. False with an exception.
bool copy_names(PyObject* coroutine, PyObject* from) noexcept;

// The class. A new reference, or nullptr with an exception.
PyTypeObject* make_coroutine_type() noexcept;

}  // namespace aio
