// Trace and profile functions of tasklets.
//
// CPython has one trace and one profile function per thread, and the tasklets of a thread share them: debuggers,
// profilers and coverage tools see all tasklets. A tasklet whose attribute trace_function or profile_function was set
// has a function of its own: the scheduler installs it when it switches to the tasklet.

#pragma once

#include "stackless/scheduler.hpp"

namespace stackless {

// Installs the functions of `to` in place of those of `from`. To be called before a switch. Reports errors as
// unraisable.
void exchange_hooks(Scheduler& s, Tasklet* from, Tasklet* to) noexcept;

// The function that a tasklet has while it runs. A new reference, or nullptr with an exception.
PyObject* get_hook(Tasklet& t, Hook hook) noexcept;

// Gives a tasklet of the running thread a function of its own, or None. With nullptr it shares the function of the
// thread again. 0, or -1 with an exception.
int set_hook(Tasklet& t, Hook hook, PyObject* function) noexcept;

}  // namespace stackless
