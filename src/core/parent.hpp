// The tree of greenlets: each but a main one has a parent, which goes on when it finishes.

#pragma once

#include "core/greenlet.hpp"
#include "core/thread.hpp"

namespace core {

// thread_of(), while other threads may change the parents.
Thread* thread_of_changing(PyGreenlet* g) noexcept;

// The thread a greenlet belongs to: borrowed; nullptr if it is unstarted and a parent of it was garbage collected.
inline Thread* thread_of(PyGreenlet* g) noexcept {
    if constexpr (!interpreter::has_gil) {
        return thread_of_changing(g);
    }
    while (g != nullptr && g->pimpl->thread == nullptr) {
        g = g->pimpl->parent;
    }
    return g != nullptr ? g->pimpl->thread : nullptr;
}

// Says in an exception, greenlet.error, why it is not allowed to switch to `g` from the running thread.
void refuse_switch_to(PyGreenlet* g, Thread& running) noexcept;

// Is it allowed? If not, sets greenlet.error.
inline bool may_switch_to(PyGreenlet* g, Thread& running) noexcept {
    if (thread_of(g) == &running && !running.is_on_own_stack()) [[likely]] {
        return true;
    }
    refuse_switch_to(g, running);
    return false;
}

// Is `g` the greenlet `of`, or a parent of it? `of` may be nullptr.
bool is_ancestor(const PyGreenlet* g, const PyGreenlet* of) noexcept;

// Has `next` go on when `g` finishes, which runs; if that is `g` itself, its parent does, as before. Whoever was to go on after
// `g`, of the parents of `next`, goes on after its parent then. `next` is of the same thread.
void set_successor(PyGreenlet* g, PyGreenlet* next) noexcept;

// Sets the parent. 0, or -1 with TypeError, ValueError or AttributeError. nullptr stands for `del g.parent`.
int set_parent(PyGreenlet* g, PyObject* parent) noexcept;

}  // namespace core
