// Refusing an operation while the lock is held.

#pragma once

#include "stackless/tasklet.hpp"

namespace stackless {

// Releases the lock. If there is a reason to refuse, sets RuntimeError and returns false.
inline bool is_allowed(const char* reason, interpreter::Holding& lock) noexcept {
    lock.release();
    if (reason != nullptr) {
        fail(reason);
    }
    return reason == nullptr;
}

}  // namespace stackless
