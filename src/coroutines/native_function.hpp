// Python functions whose call makes a generator or coroutine instead of running their body.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace coroutines {

enum class Makes { nothing, generator, coroutine, async_generator };

// What a call makes, judged by the `yield` and `async` in the function's definition. Looks through methods and
// functools.partial. `nothing` for all other callables. Runs no code of a program.
Makes what_a_call_makes(PyObject* callable) noexcept;

}  // namespace coroutines
