// A pointer or number that other threads may look at while its own changes it. They must be content with what it was a
// moment ago, and a pointer is not to be followed unless something else keeps alive what it points to.
//
// In an ordinary build it is a plain variable, because threads take turns; in a free-threaded one it is atomic.

#pragma once

#include <atomic>
#include <utility>

#include "interpreter/cpython.hpp"

namespace interpreter {

template <class T>
class SharedValue {
public:
    SharedValue() noexcept = default;
    SharedValue(T value) noexcept : value_(value) {}
    SharedValue(const SharedValue& other) noexcept : value_(other.get()) {}
    SharedValue& operator=(const SharedValue& other) noexcept { return *this = other.get(); }

    operator T() const noexcept { return get(); }
    T operator->() const noexcept { return get(); }

#ifdef Py_GIL_DISABLED
    T get() const noexcept { return value_.load(std::memory_order_relaxed); }
    SharedValue& operator=(T value) noexcept { return value_.store(value, std::memory_order_relaxed), *this; }
    void operator+=(T value) noexcept { value_.fetch_add(value, std::memory_order_relaxed); }
    // Of several threads that do this at once, each gets what another one has set.
    T exchange(T value) noexcept { return value_.exchange(value, std::memory_order_acq_rel); }

private:
    std::atomic<T> value_;
#else
    T get() const noexcept { return value_; }
    SharedValue& operator=(T value) noexcept { return value_ = value, *this; }
    void operator+=(T value) noexcept { value_ += value; }
    T exchange(T value) noexcept { return std::exchange(value_, value); }

private:
    T value_;
#endif
};

}  // namespace interpreter
