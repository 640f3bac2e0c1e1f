// How a greenlet finishes: its result goes to its parent, or to its resumer.

#pragma once

#include "core/greenlet.hpp"
#include "core/thread.hpp"

namespace core {

// Finishes the running greenlet: passes the result, or the exception in flight, on and never returns.
[[noreturn]] void finish_greenlet(Thread& thread, PyGreenlet* self, PyObject* result_of_run);

}  // namespace core
