// The tasks of asyncio.

#pragma once

#include <cstdint>

#include "core/thread.hpp"

namespace aio {

// The task that runs, as an address to compare with others; nullptr if there is none, or this asyncio has no *eager*
// tasks (they came with CPython 3.12). The first step of those happens in the middle of the function that makes them; so
// a function may find itself in a portal that is another task's.
const void* running_task(core::Thread& thread) noexcept;

enum class Answer : std::uint8_t {
    no,
    yes,
    yes_after_calls,  // of asyncio, and with it of the event loop's __hash__(), which may have changed everything
};

// Is it running_task()? Sooner said than which one it is.
Answer is_running_task(core::Thread& thread, const void* task) noexcept;

// Has a task, an instance of asyncio's class of them in C, go on with another coroutine at its next step. False if
// that is not possible. Asyncio has no way to do so, and where it keeps the coroutine differs between versions; so the
// place is found by what it holds, and has to be the only one of the instance that holds that.
bool replace_coroutine(PyObject* task, PyTypeObject* task_class, PyObject* from, PyObject* to) noexcept;

}  // namespace aio
