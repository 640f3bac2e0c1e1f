// The generator object: the class, and how instances are made.

#pragma once

#include "core/coroutine/coroutine.hpp"

namespace generators {

extern const core::CoroutineKind generator_kind;

// A new generator that will call function(*arguments): a new reference, or nullptr with an exception.
PyObject* make_generator(core::ModuleState& state, PyObject* function, const core::Message& message) noexcept;

// The class. A new reference, or nullptr with an exception.
PyTypeObject* make_generator_type() noexcept;

}  // namespace generators
