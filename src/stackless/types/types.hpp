// The classes of this layer. Each function creates one: a new reference, or nullptr with an exception.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace stackless {

PyObject* make_tasklet_type() noexcept;
PyObject* make_channel_type() noexcept;
PyObject* make_scheduler_type() noexcept;
PyObject* make_atomic_type() noexcept;

}  // namespace stackless
