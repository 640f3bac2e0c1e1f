// The Python frames of a suspended greenlet: the frame object for its innermost one, and the references they own.

#pragma once

#include "interpreter/call_in_progress.hpp"
#include "interpreter/state.hpp"

namespace interpreter {

// The frame object of the innermost frame that Python code can see: a new reference, or nullptr without an exception if
// there is none, with one if memory ran out. `state` belongs to a suspended greenlet.
PyFrameObject* innermost_frame_object(PyThreadState* ts, const State& state) noexcept;

// Visits the references that a suspended greenlet's frames, and the exceptions they handle, surely own; for tp_traverse.
// To miss one keeps an object alive for longer than needed; to visit one that is not owned would free a live object. So
// where it is not known how much of a frame's stack of values is in use, only its variables are visited.
int visit_frames(const State& state, const CallInProgress& call, visitproc visit, void* arg) noexcept;

// Do frames refer to objects whose references are not counted, and which the garbage collector therefore has to find? It
// looks at the frames of greenlets that run, and visit_frames() shows it those of suspended ones.
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030E0000
inline constexpr bool has_uncounted_references = true;
#else
inline constexpr bool has_uncounted_references = false;
#endif

// Visits those only: of a main greenlet that is suspended.
int visit_uncounted(const State& state, visitproc visit, void* arg) noexcept;

// May the callable be a builtin function like sys._getframe() or eval()? These take the innermost frame for that of a function that
// called them, whatever it is, and would see the link.
bool looks_at_its_caller(PyObject* callable) noexcept;

// The function of the running greenlet, which has a link, raised. A native generator's frame leads nowhere then, so that who keeps
// the exception does not keep its consumer's variables: does the same for the frame that its traceback begins with.
void unlink_traceback(PyThreadState* ts, const State& state) noexcept;

// The thread state of a suspended greenlet is about to go. In some versions all frames lead to one that lies in the thread
// state: cuts that off.
void leave_thread_state(State& state, const PyThreadState* ts) noexcept;

// Lets go of what the frames of a greenlet own that will never run again, because its thread is gone. Frame objects that
// others hold become owners of their frames, so that they stay readable; generators that were running are finished.
// References that only C functions of the greenlet know are lost.
void abandon_frames(State& state, const CallInProgress& call) noexcept;

// Makes up for sys.settrace(), sys.setprofile() or sys.monitoring having changed the events while the greenlet that is resumed
// was suspended. When events change, CPython adapts the code of every frame that a thread runs, and a generator's when that is
// resumed. Frames of suspended greenlets it does not find: their code keeps the events it had until it loops or is called
// again. That does no harm but in two cases, where it is adapted: debug builds assert that there is no such code; and since 3.15
// an exception that leaves a function has to find room for events in its code, if there are any, and looks through nullptr if that
// was never adapted. While a callback of events runs, there are none, in no greenlet of the thread, and what is called is not adapted.
// An exception in flight is kept. `restart_events`: what find_restart_events() found.
#if defined(Py_DEBUG) && PY_VERSION_HEX >= 0x030D0000
void adapt_frames(PyThreadState* ts, State& state, PyObject* restart_events) noexcept;
#elif PY_VERSION_HEX >= 0x030F0000
void adapt_unprepared_frames(PyThreadState* ts, State& state, PyObject* restart_events) noexcept;

inline void adapt_frames(PyThreadState* ts, State& state, PyObject* restart_events) noexcept {
    if (ts->eval_breaker > 0xff) [[unlikely]] {  // the flags. So there were events once: above them is their version
        adapt_unprepared_frames(ts, state, restart_events);
    }
}
#else
inline void adapt_frames(PyThreadState*, State&, PyObject*) noexcept {}
#endif

// sys.monitoring.restart_events(): there is no other way to ask for frames to be adapted. To be found early, because `sys` is
// cleared before the interpreter has run its last code. A new reference, to None where nothing is adapted, or a program has
// deleted it; nullptr with an exception.
#if (defined(Py_DEBUG) && PY_VERSION_HEX >= 0x030D0000) || PY_VERSION_HEX >= 0x030F0000
PyObject* find_restart_events() noexcept;
#else
inline PyObject* find_restart_events() noexcept { return Py_NewRef(Py_None); }
#endif

}  // namespace interpreter
