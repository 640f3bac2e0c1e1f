// New greenlet objects.

#pragma once

#include "core/greenlet.hpp"
#include "core/thread.hpp"

namespace core {

// A new unstarted greenlet of a type, its parent the current greenlet. nullptr with an exception if memory ran out.
PyGreenlet* create(PyTypeObject* type, Thread& thread) noexcept;

// The main greenlet of a thread: active, with the thread's own activation. nullptr with an exception.
PyGreenlet* create_main(Thread& thread) noexcept;

}  // namespace core
