// contextvars.Context objects of tasklets, and their frames.

#pragma once

#include "stackless/tasklet.hpp"

namespace stackless {

// The context of the running greenlet: a new reference. Made if there is none yet; nullptr with an exception if memory
// ran out.
PyObject* running_context() noexcept;

}  // namespace stackless
