// Chains of greenlets that may lead back into themselves: a body may be resumed, through others, by itself.

#pragma once

#include "core/greenlet.hpp"

namespace core {

// Notices when a chain that is followed step by step closes to a ring: a second pointer follows it at half the speed,
// and the first one meets it.
class RingDetector {
public:
    explicit RingDetector(const PyGreenlet* begin) noexcept : slow_(begin) {}

    // To be called after each step, with the greenlet it led to and the function that makes a step. True in a ring.
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
