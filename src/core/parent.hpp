// The tree of greenlets. When a greenlet finishes its parent is resumed; only a main greenlet has none.

#pragma once

#include "core/greenlet.hpp"
#include "core/thread.hpp"

namespace core {

// thread_of() for builds without a GIL, where the other threads may change parents.
Thread* thread_of_changing(PyGreenlet* g) noexcept;

// The thread that a greenlet belongs to, borrowed. nullptr if it is unstarted and one of its parents was garbage
// collected.
inline Thread* thread_of(PyGreenlet* g) noexcept {
    if constexpr (!interpreter::has_gil) {
        return thread_of_changing(g);
    }
    while (g != nullptr && g->pimpl->thread == nullptr) {
        g = g->pimpl->parent;
    }
    return g != nullptr ? g->pimpl->thread : nullptr;
}

// Raises greenlet.error, which says why the running thread can't switch to `g`.
void refuse_switch_to(PyGreenlet* g, Thread& running) noexcept;

// True if the running thread may switch to `g`. False with greenlet.error.
inline bool may_switch_to(PyGreenlet* g, Thread& running) noexcept {
    if (thread_of(g) == &running && !running.is_on_own_stack()) [[likely]] {
        return true;
    }
    refuse_switch_to(g, running);
    return false;
}

// True if `g` is `of` or one of its parents. `of` may be nullptr.
bool is_ancestor(const PyGreenlet* g, const PyGreenlet* of) noexcept;

// Makes `next` the parent of `g`, which runs, so that `next` is resumed when `g` finishes. If `g` is one of the parents
// of `next`, the child of `g` among them gets the old parent of `g`. Does nothing if `next` is `g`. Both belong to one
// thread.
void set_successor(PyGreenlet* g, PyGreenlet* next) noexcept;

// Sets the parent; nullptr stands for `del g.parent`. 0, or -1 with TypeError, ValueError or AttributeError.
int set_parent(PyGreenlet* g, PyObject* parent) noexcept;

}  // namespace core
