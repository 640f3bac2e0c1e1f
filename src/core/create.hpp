// New greenlet objects.

#pragma once

#include "core/greenlet.hpp"
#include "core/thread.hpp"

namespace core {

// A new unstarted greenlet, whose parent is the current greenlet. nullptr with an exception.
PyGreenlet* create(PyTypeObject* type, Thread& thread) noexcept;

// The main greenlet of a thread. It is active, on the thread's own stack. nullptr with an exception.
PyGreenlet* create_main(Thread& thread) noexcept;

}  // namespace core
