// Trace and profile functions.
//
// CPython has one of each a thread, whatever runs in it, and tasklets share it: debuggers, profilers and coverage tools
// see them all. One that was given a function of its own, by its attribute trace_function or profile_function, has it
// while it runs: the scheduler exchanges the function when it is that tasklet's turn.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace stackless {

struct Scheduler;
struct Tasklet;

enum class Hook : int { trace, profile };
constexpr int hook_count = 2;

// Owned references to callables or None; nullptr: shares that of the thread.
struct Hooks {
    PyObject* functions[hook_count];

    PyObject*& operator[](Hook hook) noexcept { return functions[static_cast<int>(hook)]; }
};

// Before a switch from one tasklet to another. Reports what goes wrong as unraisable.
void exchange_hooks(Scheduler& s, Tasklet* from, Tasklet* to) noexcept;

// The function that a tasklet has when it runs. A new reference, or nullptr with an exception.
PyObject* get_hook(Tasklet& t, Hook hook) noexcept;

// Gives a tasklet of the running thread a function of its own, or None; nullptr: it shares that of the thread again. 0,
// or -1 with an exception.
int set_hook(Tasklet& t, Hook hook, PyObject* function) noexcept;

void clear_hooks(Hooks& hooks) noexcept;

}  // namespace stackless
