// The trace and profile functions that a tasklet, or the tasklets of a thread together, may have.

#pragma once

#include <utility>

#include "core/reference.hpp"
#include "stackless/lock.hpp"

namespace stackless {

enum class Hook : int { trace, profile };
constexpr int hook_count = 2;

// Owned references to callables or None. nullptr: the tasklet shares the function of its thread.
struct Hooks {
    PyObject* functions[hook_count];

    PyObject*& operator[](Hook hook) noexcept { return functions[static_cast<int>(hook)]; }
};

inline void clear_hooks(Hooks& hooks) noexcept {
    for (PyObject*& place : hooks.functions) {
        core::Reference function;
        interpreter::Holding lock(tasklets_lock);
        function = core::Reference::steal(std::exchange(place, nullptr));
    }
}

}  // namespace stackless
