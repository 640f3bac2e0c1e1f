// A count of owners, changed by threads that are attached to the same interpreter.
//
// In an ordinary build they take turns by the GIL; in a free-threaded one they do not, so the count is atomic.

#pragma once

#include <atomic>
#include <cstddef>

#include "interpreter/versions/cpython.hpp"

namespace interpreter {

class SharedCount {
public:
    explicit SharedCount(std::size_t count) noexcept : count_(count) {}

#ifdef Py_GIL_DISABLED
    void add() noexcept { count_.fetch_add(1, std::memory_order_relaxed); }
    // Is that the last one?
    bool remove() noexcept { return count_.fetch_sub(1, std::memory_order_acq_rel) == 1; }

private:
    std::atomic<std::size_t> count_;
#else
    void add() noexcept { ++count_; }
    bool remove() noexcept { return --count_ == 0; }

private:
    std::size_t count_;
#endif
};

}  // namespace interpreter
