// CPython 3.11 to 3.15: the contextvars.Context of the running greenlet, in the thread state.

#pragma once

#include "interpreter/versions/cpython.hpp"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <internal/pycore_context.h>
#pragma GCC diagnostic pop

namespace interpreter {

// The context of the running greenlet: borrowed, or nullptr.
inline PyObject* running_context(PyThreadState* ts) noexcept { return ts->context; }

// Gives the running greenlet another context. Steals the new one, returns the old one.
inline PyObject* exchange_running_context(PyThreadState* ts, PyObject* context) noexcept {
    PyObject* old = ts->context;
    ts->context = context;
    ts->context_ver++;
    return old;
}

// Makes sure that the running greenlet has a context, which CPython makes only when one is needed. False with an
// exception if memory ran out.
bool make_context(PyThreadState* ts) noexcept;
inline bool has_context(PyThreadState* ts) noexcept { return ts->context != nullptr; }
inline bool ensure_context(PyThreadState* ts) noexcept { return has_context(ts) || make_context(ts); }

// True if the context, which may be nullptr, is in use by its run() method.
inline bool is_entered(PyObject* context) noexcept {
    return context != nullptr && reinterpret_cast<PyContext*>(context)->ctx_entered != 0;
}

}  // namespace interpreter
