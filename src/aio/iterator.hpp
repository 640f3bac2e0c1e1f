// An ordinary iterator over an asynchronous one: it awaits each value.

#pragma once

#include "core/module_state.hpp"

namespace aio {

// A new iterator over an asynchronous iterable: a new reference, or nullptr with an exception.
PyObject* make_iterator(core::ModuleState& state, PyObject* iterable) noexcept;

// The class. A new reference, or nullptr with an exception.
PyTypeObject* make_iterator_type() noexcept;

}  // namespace aio
