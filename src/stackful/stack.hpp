// A slot: one C stack, its guard page, and memory for the client, laid out so that a stack that is hardly used costs
// a single page.
//
//     high -> +----------------------+
//             |                      |
//             |- - - warm_high - - - |
//             |     client area      |   grows up: the client puts its saved state and its own stack of frames here
//             |          ^           |
//             |          |           |
//             |   - - - - - - - -    | <- client_begin()
//             |     Slot header      |
//     base -> |   - - - - - - - -    |   some 2.5 KiB above the start of its page: the page that both sides share
//             |          |           |
//             |          v           |
//             |       C stack        |   grows down
//             | - - - warm_low - - - |
//             |                      |
//      low -> +----------------------+
//             |      guard page      |   an access ends in SIGSEGV
//             +----------------------+
//
// The header lies in the shared page and not beside the pool's own data because that page is touched anyway.
//
// Trimming. A stack that once ran deep keeps the pages it touched, though nobody may need them again. What is close to
// the shared page stays, it is *warm*; what lies beyond can be given back to the system. Whether there is anything to
// give back is found out by looking at the first cache line beyond the warm part, on either side: memory that was
// never touched reads as zero (which maps the system's page of zeros, and takes no memory), and giving memory back
// makes it zero again. So if the line is not zero, the slot was used beyond it. The converse is only likely: a large
// local variable may have been stepped over the line. Who needs certainty trims without looking.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "stackful/annotations.hpp"

namespace stackful {

inline constexpr std::size_t default_slot_size = std::size_t{1} << 20;
inline constexpr std::size_t minimum_slot_size = std::size_t{64} << 10;
inline constexpr std::size_t maximum_slot_size = std::size_t{1} << 36;

// Where things are in the slots of one size, as offsets from the low end of the guard page.
struct SlotLayout {
    // A quarter of the slot is the client's, within these bounds.
    static constexpr std::size_t least_client_bytes = std::size_t{16} << 10;
    static constexpr std::size_t most_client_bytes = std::size_t{64} << 10;

    // How much C stack there is in the page that stack and client area share.
    static constexpr std::size_t shared_page_stack_bytes = 2560;

    // How much stays warm on either side of the start of the shared page.
    static constexpr std::size_t warm_bytes = std::size_t{16} << 10;

    // A stack that reached this far below the shared page was used so heavily that to trim it costs little beside.
    static constexpr std::size_t deep_bytes = std::size_t{128} << 10;

    std::size_t size;       // of the whole slot
    std::size_t low;        // end of the guard page
    std::size_t deep_low;   // the first line below deep_bytes
    std::size_t warm_low;   // from here ...
    std::size_t base;       // where the stack begins, and the header is
    std::size_t warm_high;  // ... to here the slot is warm

    // The layout for slots of `size` bytes, made whole pages and brought within the bounds.
    static constexpr SlotLayout for_size(std::size_t size, std::size_t page_size) noexcept;
};

struct Region;

// The header of a slot, at its `base`.
struct alignas(16) Slot {
    Slot* next_free;           // while free
    const SlotLayout* layout;  // the pool's, so the same pointer for all slots of the same size
    Region* region;            // the pool's, that it was carved from
    std::byte* low;            // lowest address of the stack, above the guard page
    std::byte* high;           // end of the client area
    bool left_deep;            // while free: not trimmed though it was used beyond its warm part

    // Where the stack begins, growing down. 16-byte aligned.
    std::byte* stack_base() noexcept { return reinterpret_cast<std::byte*>(this); }
    const std::byte* stack_base() const noexcept { return reinterpret_cast<const std::byte*>(this); }

    // The client's memory. 16-byte aligned.
    std::byte* client_begin() noexcept { return stack_base() + sizeof(Slot); }
    std::byte* client_end() noexcept { return high; }

    // The low end of the guard page.
    std::byte* begin() noexcept { return stack_base() - layout->base; }

    // Is it an address on the slot's stack? An execution may have gone on to one that is no slot's when it switched away, as
    // libraries do that recurse deeply.
    bool has_on_stack(const void* address) const noexcept { return address >= low && address <= stack_base(); }

    std::size_t stack_bytes() const noexcept { return static_cast<std::size_t>(stack_base() - low); }
    std::size_t client_bytes() const noexcept {
        return static_cast<std::size_t>(high - stack_base()) - sizeof(Slot);
    }
};

static_assert(sizeof(Slot) <= 48, "a parked execution should not need a second page for our sake");
static_assert(SlotLayout::shared_page_stack_bytes % 64 == 0, "the header should start a cache line");

// Gives back everything beyond the warm part. Nobody may be running or suspended on the slot.
void trim(Slot& slot) noexcept;

// Gives back everything but the page that stack and client area share. Nobody may be running or suspended on the slot.
void trim_to_shared_page(Slot& slot) noexcept;

// An execution is suspended on the slot. Gives back what lies below its stack pointer, if it seems to have been used more
// than a warm part further down; and the same above the client's `client_top`. If the stack pointer is not on the slot's stack,
// that is left as it is. Nobody may run on the slot meanwhile.
void trim_suspended(Slot& slot, const void* stack_pointer, const void* client_top) noexcept;

// Is a cache line free of anything but zeros? It may be on a stack, below the stack pointer, or nobody's at all.
__attribute__((no_sanitize("address", "thread"))) inline bool is_untouched(const std::byte* line) noexcept {
    using Word [[gnu::may_alias]] = std::uint64_t;
    annotations::inspect_unused(line, 64);
    auto* word = reinterpret_cast<const Word*>(line);
    return (word[0] | word[1] | word[2] | word[3] | word[4] | word[5] | word[6] | word[7]) == 0;
}

// Do the lines that tell say that the slot was used beyond its warm part? `layout` is the slot's.
inline bool was_used_beyond_warm(const Slot& slot, const SlotLayout& layout) noexcept {
    const std::byte* begin = slot.stack_base() - layout.base;
    return !is_untouched(begin + layout.warm_low - 64) || !is_untouched(begin + layout.warm_high);
}

constexpr SlotLayout SlotLayout::for_size(std::size_t size, std::size_t page_size) noexcept {
    auto whole_pages = [page_size](std::size_t bytes) { return (bytes + page_size - 1) / page_size * page_size; };

    size = whole_pages(std::clamp(size, std::max(minimum_slot_size, 8 * page_size), maximum_slot_size));
    // Two pages at least, so that there is one beyond the warm part.
    std::size_t client = std::max(whole_pages(std::clamp(size / 4, least_client_bytes, most_client_bytes)), 2 * page_size);
    std::size_t shared_page = size - client;
    std::size_t warm = whole_pages(warm_bytes);

    SlotLayout layout{};
    layout.size = size;
    layout.low = page_size;
    layout.warm_low = shared_page - warm;
    layout.deep_low = shared_page > layout.low + deep_bytes + 64 ? shared_page - deep_bytes - 64 : layout.low;
    layout.base = shared_page + shared_page_stack_bytes;
    layout.warm_high = std::min(shared_page + warm, size - page_size);
    return layout;
}

}  // namespace stackful
