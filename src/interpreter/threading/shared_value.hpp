// CPython 3.11 to 3.15: a pointer or number that other threads may read while its own thread changes it. It is atomic
// in free-threaded builds.
//
// The readers must be content with the value of a moment ago. They must not follow a pointer unless something else
// keeps its target alive.

#pragma once

#include <atomic>
#include <utility>

#include "interpreter/versions/cpython.hpp"

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
    void set(T bits) noexcept { value_.fetch_or(bits, std::memory_order_relaxed); }
    void clear(T bits) noexcept { value_.fetch_and(~bits, std::memory_order_relaxed); }
    // Of several threads that do this at once, each gets a different value.
    T exchange(T value) noexcept { return value_.exchange(value, std::memory_order_acq_rel); }
    // Of several threads that replace the same value at once, only one succeeds.
    bool replace(T old, T value) noexcept {
        return value_.compare_exchange_strong(old, value, std::memory_order_acq_rel, std::memory_order_relaxed);
    }

private:
    std::atomic<T> value_;
#else
    T get() const noexcept { return value_; }
    SharedValue& operator=(T value) noexcept { return value_ = value, *this; }
    void operator+=(T value) noexcept { value_ += value; }
    void set(T bits) noexcept { value_ |= bits; }
    void clear(T bits) noexcept { value_ &= ~bits; }
    T exchange(T value) noexcept { return std::exchange(value_, value); }
    bool replace(T old, T value) noexcept { return value_ == old && (value_ = value, true); }

private:
    T value_;
#endif
};

// Records who owns an object in builds without a GIL, where the other threads must not look into the object. With a GIL
// they may, so nothing is recorded.
template <class T>
class Owner {
public:
#ifdef Py_GIL_DISABLED
    void set(const T* owner) noexcept { owner_ = owner; }
    bool may_be(const T* other) const noexcept { return owner_ == other; }

private:
    SharedValue<const T*> owner_ = nullptr;
#else
    void set(const T*) noexcept {}
    bool may_be(const T*) const noexcept { return true; }
#endif
};

}  // namespace interpreter
