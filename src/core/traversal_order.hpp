// The order in which the garbage collector traverses the suspended greenlets of a thread.
//
// Each greenlet lies in pages of its own. After a while they are in no cache, and a traversal waits for the translation
// of the address and then for the memory. A collection traverses all objects twice and keeps their order, mostly from
// one collection to the next. So the order is recorded, and the memory of the next greenlets is fetched ahead. A record
// may be wrong, or of a greenlet that is gone: it is never dereferenced.

#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "core/greenlet.hpp"

namespace core {

// Fetches the part of a suspended greenlet that a traversal reads first.
inline void prefetch(const Activation* suspended) noexcept {
    constexpr std::size_t line = stackful::SlotLayout::line;
    auto* slot = reinterpret_cast<const std::byte*>(suspended) - sizeof(stackful::Slot);
    for (std::size_t offset = 0; offset < sizeof(stackful::Slot) + sizeof(Activation) + line; offset += line) {
        __builtin_prefetch(slot + offset);
    }
}

class TraversalOrder {
public:
    TraversalOrder() noexcept = default;
    TraversalOrder(const TraversalOrder&) = delete;
    TraversalOrder& operator=(const TraversalOrder&) = delete;
    ~TraversalOrder() { std::free(order_); }

    // To be called when the main greenlet is traversed: a full collection has begun. Collections of young objects in
    // between traverse young greenlets, any number of times; so the record does not grow far beyond that of the last
    // full one.
    void restart() noexcept {
        limit_ = 2 * position_ + 1024;
        position_ = 0;
    }

    // To be called before a suspended greenlet is traversed. Records it and fetches the next ones.
    void reach(const Activation& suspended) noexcept {
        std::size_t here = position_++;
        if (here >= limit_ || (here + 2 * batch > capacity_ && !grow())) {
            return;
        }
        if (order_[here] != &suspended) {
            order_[here] = &suspended;
        }
        // The processor translates several addresses at once.
        if (here % batch == 0) {
            for (std::size_t i = here + batch; i < here + 2 * batch; ++i) {
                if (order_[i] != nullptr) {
                    __builtin_prefetch(order_[i]);
                }
            }
        }
        if (const Activation* next = order_[here + 1]) {
            prefetch(next);
        }
    }

private:
    static constexpr std::size_t batch = 4;

    bool grow() noexcept {
        std::size_t capacity = 2 * capacity_ + 256;
        void* memory = std::realloc(order_, capacity * sizeof *order_);
        if (memory == nullptr) {
            return false;
        }
        order_ = static_cast<const Activation**>(memory);
        std::memset(order_ + capacity_, 0, (capacity - capacity_) * sizeof *order_);
        capacity_ = capacity;
        return true;
    }

    const Activation** order_ = nullptr;
    std::size_t position_ = 0;
    std::size_t limit_ = 1024;
    std::size_t capacity_ = 0;
};

}  // namespace core
