// The coroutine object: to an event loop it is what the call of an `async def` function is, but it runs an ordinary function.

#pragma once

#include "aio/task.hpp"
#include "core/coroutine/coroutine.hpp"

namespace aio {

extern const core::CoroutineKind coroutine_kind;

// A new coroutine that will call function(*arguments): a new reference, or nullptr with an exception.
PyObject* make_coroutine(core::ModuleState& state, PyObject* function, const core::Message& message) noexcept;

// Was a coroutine begun in the task that runs now?
Answer is_of_running_task(const core::Coroutine& coroutine, core::Thread& thread) noexcept;

// Has a coroutine appear under the names of another object, if that has some. False with an exception.
bool take_names(PyObject* coroutine, PyObject* from) noexcept;

// The class. A new reference, or nullptr with an exception.
PyTypeObject* make_coroutine_type() noexcept;

}  // namespace aio
