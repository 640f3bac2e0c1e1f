// CPython 3.11 to 3.15: a count of owners, which threads of one interpreter change. It is atomic in free-threaded
// builds.

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
    // True if that was the last owner.
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
