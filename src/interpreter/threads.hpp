// The threads of the running interpreter.

#pragma once

#include "interpreter/state.hpp"

#ifdef Py_GIL_DISABLED
#include <internal/pycore_runtime.h>
#endif

namespace interpreter {

// Calls `visit(identifier)` for each thread, the newest first. Where threads do not take turns, none begins or ends meanwhile: so
// `visit` must not use Python objects.
template <class Visit>
void for_each_thread(Visit visit) {
#ifdef Py_GIL_DISABLED
    PyMutex& mutex = _PyRuntime.interpreters.mutex;
    PyMutex_Lock(&mutex);
#endif
    PyThreadState* ts = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    for (; ts != nullptr; ts = PyThreadState_Next(ts)) {
        visit(ts->thread_id);
    }
#ifdef Py_GIL_DISABLED
    PyMutex_Unlock(&mutex);
#endif
}

}  // namespace interpreter
