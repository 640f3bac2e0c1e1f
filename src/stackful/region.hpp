// A region: address space that slots of one size are carved from, lowest first.

#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "stackful/layout.hpp"

namespace stackful {

// The pool's record of a region. It lives as long as the pool, and is reused when its region was unmapped. The atomic
// fields are read by signal handlers and without the pool's mutex.
struct Region {
    static constexpr std::size_t most_slots = 1024;

    std::atomic<std::byte*> begin{nullptr};  // nullptr while nothing is mapped
    std::size_t slots = 0;                   // that fit
    std::atomic<std::size_t> carved{0};      // slots that exist
    std::size_t cold_count = 0;              // slots that were decommitted, and have no memory, not even a header
    // One bit for each slot.
    std::array<std::uint64_t, most_slots / 64> cold{};
    const SlotLayout* layout = nullptr;  // of its slots
    Region* older = nullptr;             // links the regions of all sizes, newest first

    bool has_room() const noexcept { return carved.load(std::memory_order_relaxed) < slots; }
    bool is_all_cold() const noexcept { return cold_count == carved.load(std::memory_order_relaxed); }

    std::byte* begin_of(std::size_t number) const noexcept {
        return begin.load(std::memory_order_relaxed) + number * layout->size;
    }
    std::size_t number_of(const std::byte* slot_begin) const noexcept {
        return static_cast<std::size_t>(slot_begin - begin.load(std::memory_order_relaxed)) / layout->size;
    }

    void mark_cold(std::size_t number) noexcept {
        cold[number / 64] |= std::uint64_t{1} << number % 64;
        ++cold_count;
    }

    // The number of a cold slot, which is cold no longer. There must be one.
    std::size_t take_cold() noexcept {
        auto word = std::find_if(cold.begin(), cold.end(), [](std::uint64_t bits) { return bits != 0; });
        auto number = static_cast<std::size_t>((word - cold.begin()) * 64 + std::countr_zero(*word));
        *word &= *word - 1;
        --cold_count;
        return number;
    }
};

}  // namespace stackful
