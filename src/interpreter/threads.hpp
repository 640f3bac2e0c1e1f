// The threads of the running interpreter, and their ends.

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

// Has a thread state a dictionary? It is made when first asked for.
inline bool has_dictionary(const PyThreadState* ts) noexcept { return ts->dict != nullptr; }

// Which thread state an operating-system thread is clearing. CPython does so when a thread ends, one thing after the other, and
// each may have a destructor. What such code puts into the dictionary of the thread state stays there for ever, once that was
// cleared.
class Clearing {
public:
#if PY_VERSION_HEX >= 0x030C0000
    void begins(PyThreadState*) noexcept {}
    bool is_of(const PyThreadState* ts) const noexcept { return ts->_status.finalizing; }
#else
    // 3.11 does not say. It is only known of thread states that somebody noticed being cleared.
    void begins(PyThreadState* ts) noexcept {
        interpreter_ = PyInterpreterState_GetID(ts->interp);
        thread_state_ = ts->id;
    }
    bool is_of(const PyThreadState* ts) const noexcept {
        return thread_state_ == ts->id && interpreter_ == PyInterpreterState_GetID(ts->interp);
    }

private:
    std::int64_t interpreter_ = -1;
    std::uint64_t thread_state_ = 0;
#endif
};

}  // namespace interpreter
