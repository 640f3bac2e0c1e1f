// The threads of the running interpreter, and their ends.

#pragma once

#include "interpreter/modules.hpp"
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

// May CPython be clearing the state of another thread? What is stored there then is never released.
#if PY_VERSION_HEX >= 0x030C0000
inline bool may_be_clearing(const PyThreadState* ts) noexcept { return ts->_status.finalizing; }
#else
// 3.11 does not say. The module threading has those that it began in its table until they end; for others there may be a stand-in,
// which stays.
inline bool may_be_clearing(const PyThreadState* ts) noexcept {
    PyObject* thread = thread_object(ts->thread_id);
    PyObject* module = imported_module("threading");
    PyObject* stand_in = module != nullptr ? PyObject_GetAttrString(module, "_DummyThread") : nullptr;
    bool goes_on = thread != nullptr && stand_in != nullptr && reinterpret_cast<PyObject*>(Py_TYPE(thread)) != stand_in;
    Py_XDECREF(stand_in);
    Py_XDECREF(module);
    Py_XDECREF(thread);
    PyErr_Clear();
    return !goes_on;
}
#endif

// The state of another thread, which has this identifier. nullptr if there is none in the running interpreter, if CPython may be
// clearing it, or if threads do not take turns: then only the thread itself may make something for it.
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

// The dictionary of a thread state, made if there is none: borrowed. nullptr if memory ran out. Of other threads where they take turns.
inline PyObject* dictionary_of(PyThreadState* ts) noexcept {
    if (ts->dict == nullptr) {
        ts->dict = PyDict_New();
    }
    PyErr_Clear();
    return ts->dict;
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
