// How a greenlet ends by itself: its result goes to the one that comes after it.

#pragma once

#include "core/greenlet.hpp"
#include "core/thread.hpp"

namespace core {

// Ends the running greenlet: passes the result, or the exception in flight, to its parent, and never returns.
[[noreturn]] void finish_greenlet(Thread& thread, PyGreenlet* self, PyObject* result_of_run);

}  // namespace core
