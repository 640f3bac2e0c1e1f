// The tree of greenlets: each but a main one has a parent, which goes on when it finishes.

#pragma once

#include "core/greenlet.hpp"
#include "core/thread.hpp"

namespace core {

// The thread a greenlet belongs to: borrowed; nullptr if it is unstarted and a parent of it was garbage collected.
Thread* thread_of(const PyGreenlet* g) noexcept;

// Is it allowed to switch to `g` from the running thread? If not, sets greenlet.error.
bool may_switch_to(PyGreenlet* g, Thread& running) noexcept;

// Sets the parent. 0, or -1 with TypeError, ValueError or AttributeError. nullptr stands for `del g.parent`.
int set_parent(PyGreenlet* g, PyObject* parent) noexcept;

}  // namespace core
