// The tasks of asyncio.

#pragma once

#include <cstdint>

#include "core/thread.hpp"

namespace aio {

// The running task, as an address for comparisons. nullptr if there is none, or if this asyncio has no *eager* tasks,
// which came with CPython 3.12. The first step of an eager task runs inside the function that creates it, so that
// function's portal belongs to another task.
const void* running_task(core::Thread& thread) noexcept;

enum class Answer : std::uint8_t {
    no,
    yes,
    yes_after_calls,  // yes, but asyncio and the event loop's __hash__() were called and may have changed anything
};

// Whether a task is running_task(). Faster than finding running_task().
Answer is_running_task(core::Thread& thread, const void* task) noexcept;

// Makes a task, an instance of asyncio's C class, run another coroutine from its next step on. Asyncio has no function
// for this, and the place of the field differs between versions, so the field is found by its value, `from`. False if
// that fails, or if more than one field holds `from`.
bool replace_coroutine(PyObject* task, PyTypeObject* task_class, PyObject* from, PyObject* to) noexcept;

}  // namespace aio
