// CPython 3.11 to 3.15: the threads of the running interpreter, and how their states end.

#pragma once

#include "interpreter/modules.hpp"
#include "interpreter/versions/cpython.hpp"

#ifdef Py_GIL_DISABLED
#include <internal/pycore_runtime.h>
#endif

namespace interpreter {

// Calls `visit(identifier)` for each thread, the newest first. Without a GIL no thread can begin or end meanwhile, so
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

// True if CPython may be clearing the state of another thread. Anything that is stored in such a state is never
// released.
#if PY_VERSION_HEX >= 0x030C0000
inline bool may_be_clearing(const PyThreadState* ts) noexcept { return ts->_status.finalizing; }
#else
// 3.11 does not tell. The module `threading` has a table of the threads that it started, each until its end. For other
// threads the table may have a stand-in, which outlives the thread.
inline bool may_be_clearing(const PyThreadState* ts) noexcept {
    PyObject* thread = thread_object(ts->thread_id);
    PyObject* module = imported_module("threading");
    PyObject* stand_in = module != nullptr ? PyObject_GetAttrString(module, "_DummyThread") : nullptr;
    bool is_alive = thread != nullptr && stand_in != nullptr &&
                    reinterpret_cast<PyObject*>(Py_TYPE(thread)) != stand_in;
    Py_XDECREF(stand_in);
    Py_XDECREF(module);
    Py_XDECREF(thread);
    PyErr_Clear();
    return !is_alive;
}
#endif

// The state of another thread of the running interpreter, by its identifier. nullptr if there is none, if CPython may
// be clearing it, or if there is no GIL: then only the thread itself may make something for it.
inline PyThreadState* thread_state_of([[maybe_unused]] unsigned long identifier) noexcept {
#ifndef Py_GIL_DISABLED
    PyThreadState* ts = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    for (; ts != nullptr; ts = PyThreadState_Next(ts)) {
        if (ts->thread_id == identifier) {
            return !may_be_clearing(ts) ? ts : nullptr;
        }
    }
#endif
    return nullptr;
}

// The dictionary of a thread state, made if there is none: borrowed. nullptr if memory ran out. The thread state may be
// another thread's only if there is a GIL.
inline PyObject* dictionary_of(PyThreadState* ts) noexcept {
    if (ts->dict == nullptr) {
        ts->dict = PyDict_New();
    }
    PyErr_Clear();
    return ts->dict;
}

inline bool has_dictionary(const PyThreadState* ts) noexcept { return ts->dict != nullptr; }

// The thread state that an operating-system thread is clearing. When a thread ends, CPython clears one field after the
// other, and each may run a destructor. Once the dictionary of the thread state is cleared, what such a destructor puts
// into it is never released.
class Clearing {
public:
#if PY_VERSION_HEX >= 0x030C0000
    void begins(PyThreadState*) noexcept {}
    bool is_of(const PyThreadState* ts) const noexcept { return ts->_status.finalizing; }
#else
    // 3.11 does not tell, so begins() records a thread state that is about to be cleared.
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
