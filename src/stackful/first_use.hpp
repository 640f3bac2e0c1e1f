// A value that is computed at the first use. A static variable of a function would need the C++ library for that
// (heap.hpp).
//
//     static constinit FirstUse<Guard> guard;
//     return guard.value([]() noexcept { return find_out(); });

#pragma once

#include <atomic>
#include <mutex>

#include "stackful/mutex.hpp"

namespace stackful {

template <class Value>
class FirstUse {
public:
    // The value, which the first call computes. Other threads wait meanwhile.
    template <class Compute>
    Value& value(Compute compute) noexcept {
        if (!is_known_.load(std::memory_order_acquire)) {
            std::lock_guard lock(mutex_);
            if (!is_known_.load(std::memory_order_relaxed)) {
                value_ = compute();
                is_known_.store(true, std::memory_order_release);
            }
        }
        return value_;
    }

private:
    std::atomic<bool> is_known_{false};
    Mutex mutex_;
    Value value_{};
};

}  // namespace stackful
