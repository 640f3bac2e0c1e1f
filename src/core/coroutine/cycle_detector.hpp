// Detects cycles of greenlets that wait for one another: a body may be resumed, through others, by itself.

#pragma once

#include "core/greenlet.hpp"

namespace core {

// Floyd's algorithm: the caller follows the chain step by step, a second pointer at half the speed. In a cycle they
// meet.
class CycleDetector {
public:
    explicit CycleDetector(const PyGreenlet* begin) noexcept : slow_(begin) {}

    // To be called after each step, with the greenlet that it led to and the function that makes a step. True if the
    // two pointers meet.
    template <class Next>
    bool closes_at(const PyGreenlet* g, Next next) noexcept {
        slow_ = follows_ ? next(slow_) : slow_;
        follows_ = !follows_;
        return g == slow_;
    }

private:
    const PyGreenlet* slow_;
    bool follows_ = false;
};

}  // namespace core
