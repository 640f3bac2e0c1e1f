// The names of a recording's greenlets and threads: each different one is in the file once, and has a number.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "inspect/recording/ring.hpp"

namespace inspect::recording {

class Names {
public:
    // The number of a name, which is appended to the file if it is new. 0 if there is no room.
    std::uint16_t number_of(std::string_view name, Ring& ring) noexcept;

    void clear() noexcept;

private:
    static constexpr std::size_t most = 4096;
    static constexpr std::size_t places = 2 * most;  // a power of 2
    static constexpr std::size_t longest = 240;      // the rest of a longer name is left out

    struct Place {
        std::uint64_t hash;
        std::uint16_t number;  // 0: free
    };

    // A name is known by 64 bits of its hash: that two names share them is as good as impossible.
    Place places_[places] = {};
    std::uint16_t count_ = 0;
};

}  // namespace inspect::recording
