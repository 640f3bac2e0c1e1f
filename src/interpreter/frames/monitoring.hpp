// CPython 3.13 on: monitoring events (sys.settrace(), sys.setprofile(), sys.monitoring) that changed while a greenlet
// was suspended.
//
// When events change, CPython adapts the code of each frame that a thread runs, and that of a generator when it is
// resumed. It does not find the frames of suspended greenlets: their code keeps its events until it loops or is called
// again. That is harmless but for two cases, in which the code is adapted when the greenlet is resumed:
//
// - Debug builds (3.13 on) assert that there is no such code.
// - Since 3.15 an exception that leaves a function while there are events looks for them in its code, and follows
//   nullptr if the code was never adapted.
//
// While a callback of events runs, there are no events in any greenlet of the thread, and what is called is not
// adapted.

#pragma once

#include "interpreter/state.hpp"

namespace interpreter {

// Adapts the code of the frames of a greenlet that is being resumed, where that is needed. Keeps an exception in
// flight. `restart_events` is the result of find_restart_events().
#if defined(Py_DEBUG) && PY_VERSION_HEX >= 0x030D0000
void adapt_frames(PyThreadState* ts, State& state, PyObject* restart_events) noexcept;
#elif PY_VERSION_HEX >= 0x030F0000
void adapt_unprepared_frames(PyThreadState* ts, State& state, PyObject* restart_events) noexcept;

inline void adapt_frames(PyThreadState* ts, State& state, PyObject* restart_events) noexcept {
    // Above the flags is the version of the events. It is 0 until there are any.
    if (ts->eval_breaker > 0xff) [[unlikely]] {
        adapt_unprepared_frames(ts, state, restart_events);
    }
}
#else
inline void adapt_frames(PyThreadState*, State&, PyObject*) noexcept {}
#endif

// sys.monitoring.restart_events(), the only way to have frames adapted. To be found early, because `sys` is cleared
// before the interpreter has run its last code. A new reference, to None if nothing is adapted or a program has deleted
// the function; nullptr with an exception.
#if (defined(Py_DEBUG) && PY_VERSION_HEX >= 0x030D0000) || PY_VERSION_HEX >= 0x030F0000
PyObject* find_restart_events() noexcept;
#else
inline PyObject* find_restart_events() noexcept { return Py_NewRef(Py_None); }
#endif

}  // namespace interpreter
