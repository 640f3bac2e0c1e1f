// CPython 3.11 to 3.15: the exception that a greenlet handles, as the `__context__` of one that is raised in it from
// outside.
//
// An exception gets its `__context__` where it is raised. The caller of throw() raises the one that it throws into a
// generator, so CPython adds the exception that the generator itself handles when the thrown one arrives. What the
// resumer handles does not count.

#pragma once

#include "interpreter/pending_exception.hpp"
#include "interpreter/state.hpp"

namespace interpreter {

// The entry of the innermost exception that a greenlet handles, from `item` outwards to the bottom entry of its state.
// nullptr if it handles none.
inline _PyErr_StackItem* find_handled(_PyErr_StackItem* item, const State& state) noexcept {
    for (; item != nullptr; item = item->previous_item) {
        if (item->exc_value != nullptr && item->exc_value != Py_None) {
            return item;
        }
        if (item == &state.exception_base) {
            break;
        }
    }
    return nullptr;
}

// Gives the exception in flight the context that it would get by being raised now. Runs no code.
inline void raise_again() noexcept {
    PyObject* exception = take_exception();
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception)), exception);
    Py_DECREF(exception);
}

// For the exception in flight: adds the context of the running greenlet.
inline void add_context(PyThreadState* ts, const State& running) noexcept {
    if (find_handled(ts->exc_info, running) != nullptr) {
        raise_again();
    }
}

// For the exception in flight, which is about to be thrown into a suspended greenlet: adds that greenlet's context.
inline void add_context_of(PyThreadState* ts, const State& suspended) noexcept {
    if (find_handled(suspended.exc_info, suspended) != nullptr) {
        _PyErr_StackItem* own = ts->exc_info;
        ts->exc_info = suspended.exc_info;
        raise_again();
        ts->exc_info = own;
    }
}

}  // namespace interpreter
