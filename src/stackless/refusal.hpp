// Refusing an operation, also while the lock is held.

#pragma once

#include "stackless/lock.hpp"

namespace stackless {

// Sets RuntimeError, and returns nullptr.
inline PyObject* raise_runtime_error(const char* message) noexcept {
    PyErr_SetString(PyExc_RuntimeError, message);
    return nullptr;
}

// Releases the lock. If there is a reason to refuse, sets RuntimeError and returns false.
inline bool is_allowed(const char* reason, interpreter::Holding& lock) noexcept {
    lock.release();
    if (reason != nullptr) {
        raise_runtime_error(reason);
    }
    return reason == nullptr;
}

}  // namespace stackless
