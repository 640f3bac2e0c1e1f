// CPython 3.11 to 3.15: fetches the frames of a suspended greenlet into the caches before they are read.
//
// A greenlet that has waited for long is in no cache. Each frame holds the address of the next one, so whoever walks
// them would wait for memory at every frame.

#pragma once

#include <algorithm>
#include <cstddef>

#include "interpreter/frames/frame.hpp"
#include "interpreter/state.hpp"
#include "stackful/layout.hpp"

namespace interpreter {

// Fetches what the interpreter reads first when it goes on with a frame. The frame need not be there any more. Without
// always_inline, GCC takes the call for one without effect.
[[gnu::always_inline]] inline void prefetch_variables(const void* frame) noexcept {
    __builtin_prefetch(static_cast<const std::byte*>(frame) + offsetof(Frame, localsplus));
}

// Fetches frames from the innermost one outwards. In a chunk of the data stack they lie one below the other. Only those
// in the newest chunk are fetched.
class Prefetch {
public:
    explicit Prefetch(const State& state) noexcept
        : fetched_(reinterpret_cast<const std::byte*>(state.datastack_top)),
          end_(reinterpret_cast<const std::byte*>(state.datastack_chunk)) {}

    // To be called before a frame is read: fetches it and those that follow closely.
    void reach(const Frame* frame) noexcept {
        for (auto* goal = std::max(reinterpret_cast<const std::byte*>(frame) - ahead, end_); fetched_ > goal;) {
            fetched_ -= line;
            __builtin_prefetch(fetched_);
        }
    }

private:
    static constexpr std::ptrdiff_t ahead = 3072;
    static constexpr auto line = static_cast<std::ptrdiff_t>(stackful::SlotLayout::line);

    const std::byte* fetched_;  // everything from here on has been fetched
    const std::byte* end_;      // nothing before it is
};

}  // namespace interpreter
