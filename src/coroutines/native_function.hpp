// Functions whose call does not run their body, but makes an object that does.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace coroutines {

enum class Makes { nothing, generator, coroutine, async_generator };

// What a call of it makes, if it is a Python function with `yield` or `async` in its definition, or leads to one through a method or
// functools.partial. Runs no code of a program.
Makes what_a_call_makes(PyObject* callable) noexcept;

}  // namespace coroutines
