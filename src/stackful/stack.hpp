// A slot: one C stack, its guard, and memory for the client, laid out so that a stack that is hardly used costs a single
// page, and so that many of them share neither cache sets nor sets of the address translation.
//
//     begin + size -> +----------------------+
//                     |  left to the colours |   never touched
//             high -> +----------------------+
//                     |     client area      |   grows up: the client puts its saved state and its own stack of frames here
//                     |          ^           |
//                     |   - - - - - - - -    | <- client_begin()
//                     |     Slot header      |
//             base -> |   - - - - - - - -    |   in the middle of a page: the shared page, which both sides begin in
//                     |          |           |
//                     |          v           |
//                     |       C stack        |   grows down; stack_bytes are promised,
//                     |                      |   and what the colours leave comes on top
//              low -> +----------------------+
//                     |        guard         |   an access ends in SIGSEGV
//            begin -> +----------------------+
//
// The header lies in the shared page and not beside the pool's own data because that page is touched anyway.
//
// The guard. A function with a large frame moves the stack pointer by all of it before it touches anything. A guard of one
// page can be stepped over that way, and what lies below it belongs to another stack. So a large slot has a guard of 1 MiB,
// which is what Linux keeps free below the stack of a process. (OpenBLAS has frames of 541 KiB.)
//
// Page tables. The processor looks up addresses in pages of page-table entries, one of which covers `table_span` bytes, and
// the system allocates one when the first address in its span is used. The entries of a guard are in use too. So large
// slots are whole spans long, and end 1 MiB after the begin of one: the shared page of a slot and the guard of the
// next one lie in the same span, and a parked stack takes one page-table page rather than two.
//
// Colours. Places that lie a power of two apart compete for the same few entries of a cache, and of the cache of
// address translations. Slots all alike would compete with each other: so each begins its stack at another cache line of its
// shared page, and large ones at another page too. Small slots are an odd number of pages long, which does the latter by itself.
//
// Trimming. A stack that once ran deep keeps the pages it touched, though nobody may need them again. What is close to
// the base stays, it is *warm*; what lies beyond can be given back to the system. Whether there is anything to
// give back shows in a cache line on either side, a little beyond the warm part: memory that was never touched reads as
// zero (which maps the system's page of zeros, and takes no memory), and giving memory back makes it zero again. So if the
// line is not zero, the slot was used beyond it. The converse is only likely: a large local variable may have been stepped
// over the line. Who needs certainty trims without looking.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "stackful/annotations.hpp"

namespace stackful {

// Bytes of C stack.
inline constexpr std::size_t minimum_stack_size = std::size_t{64} << 10;
inline constexpr std::size_t maximum_stack_size = std::size_t{1} << 36;

// Where things are in the slots of one stack size.
struct SlotLayout {
    // Slots are large if their stacks are at least this size.
    static constexpr std::size_t least_large_stack = std::size_t{2} << 20;

    static constexpr std::size_t large_guard_bytes = std::size_t{1} << 20;
    static constexpr std::size_t small_guard_bytes = std::size_t{64} << 10;

    // What a page of page-table entries covers, with pages of 4 KiB. With larger pages it covers more, and then a page costs
    // more than what could be saved.
    static constexpr std::size_t table_span = std::size_t{2} << 20;

    // The client has a sixteenth of the stack size, within these bounds.
    static constexpr std::size_t least_client_bytes = std::size_t{16} << 10;
    static constexpr std::size_t most_client_bytes = std::size_t{64} << 10;

    // The colours: at how many lines, and in how many pages, a stack may begin. So many lines differ enough for the caches
    // of the first level. The lowest bits of a page's number choose its set in the cache of translations, of which there are
    // some 128. Consecutive slots differ by the strides, which share no factor with the numbers.
    static constexpr std::size_t line = 64;
    static constexpr std::size_t line_colours = 20;
    static constexpr std::size_t line_stride = 7;
    static constexpr std::size_t large_page_colours = 128;
    static constexpr std::size_t page_stride = 37;

    // How much C stack there is in the shared page, at least. A suspended execution that has called little fits.
    static constexpr std::size_t least_shared_stack = 1536;
    static constexpr std::size_t most_shared_stack = least_shared_stack + (line_colours - 1) * line;

    // How far from the base memory stays warm, on either side. Up to a page more, because it is trimmed in whole pages.
    static constexpr std::size_t warm_bytes = std::size_t{16} << 10;

    // A stack that reached this far below the base was used so heavily that to trim it costs little beside.
    static constexpr std::size_t deep_bytes = std::size_t{128} << 10;

    std::size_t stack_bytes;   // that are promised
    std::size_t guard_bytes;
    std::size_t size;          // of the whole slot
    std::size_t client_bytes;  // from the begin of the shared page on
    std::size_t shared_page;   // offset of the highest one
    std::size_t page_colours;  // how many pages it may be in, from there down
    std::size_t page_size;
    std::size_t warm_below;    // the line that tells is so far below the base, ...
    std::size_t warm_above;    // ... and the other one so far above
    std::size_t deep_below;    // the line that tells of heavy use

    // The layout for stacks of `stack_size` bytes, brought within the bounds and rounded up to whole pages.
    static constexpr SlotLayout for_stack(std::size_t stack_size, std::size_t page_size) noexcept;

    // The base of the slot with a number, as an offset.
    constexpr std::size_t base_of(std::size_t number) const noexcept {
        return shared_page - number * page_stride % page_colours * page_size + least_shared_stack +
               number * line_stride % line_colours * line;
    }
};

struct Region;

// The header of a slot, at its base. It fills a cache line, so that what the client uses all the time begins another one.
struct alignas(64) Slot {
    Slot* next_free;           // while free
    const SlotLayout* layout;  // the pool's, so the same pointer for all slots of the same size
    Region* region;            // the pool's, that it was carved from
    std::byte* low;            // lowest address of the stack, above the guard
    std::byte* high;           // end of the client area
    bool untrimmed;            // while free: not trimmed though it was used beyond its warm part

    // Where the stack begins, growing down. Aligned to cache lines.
    std::byte* stack_base() noexcept { return reinterpret_cast<std::byte*>(this); }
    const std::byte* stack_base() const noexcept { return reinterpret_cast<const std::byte*>(this); }

    // The end of the stack that is promised, so that all slots of a layout have as much.
    std::byte* stack_end() noexcept { return stack_base() - layout->stack_bytes; }

    // The client's memory. Aligned to cache lines.
    std::byte* client_begin() noexcept { return stack_base() + sizeof(Slot); }
    const std::byte* client_begin() const noexcept { return stack_base() + sizeof(Slot); }
    std::byte* client_end() noexcept { return high; }

    // The low end of the guard.
    std::byte* begin() noexcept { return low - layout->guard_bytes; }
    const std::byte* begin() const noexcept { return low - layout->guard_bytes; }

    // Is it an address on the slot's stack? An execution may have gone on to one that is no slot's when it switched away, as
    // libraries do that recurse deeply.
    bool has_on_stack(const void* address) const noexcept { return address >= low && address <= stack_base(); }

    std::size_t client_bytes() const noexcept {
        return static_cast<std::size_t>(high - stack_base()) - sizeof(Slot);
    }
};

static_assert(sizeof(Slot) == SlotLayout::line, "a parked execution should not need a second page for our sake");
static_assert(SlotLayout::least_shared_stack % SlotLayout::line == 0, "the header should start a cache line");

// Gives back everything beyond the warm part. Nobody may be running or suspended on the slot.
void trim(Slot& slot) noexcept;

// Gives back everything but the shared page. Nobody may be running or suspended on the slot.
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
    return !is_untouched(slot.stack_base() - layout.warm_below) || !is_untouched(slot.stack_base() + layout.warm_above);
}

constexpr SlotLayout SlotLayout::for_stack(std::size_t stack_size, std::size_t page_size) noexcept {
    auto round_up = [](std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; };

    SlotLayout layout{};
    layout.page_size = page_size;
    layout.stack_bytes = round_up(std::clamp(stack_size, std::max(minimum_stack_size, 8 * page_size), maximum_stack_size), page_size);
    bool is_large = layout.stack_bytes >= least_large_stack;
    layout.guard_bytes = round_up(is_large ? large_guard_bytes : small_guard_bytes, page_size);
    layout.page_colours = is_large ? large_page_colours : 1;
    // Three pages at least: the line that tells lies beyond the warm part, and more of the area beyond the line.
    layout.client_bytes = std::max(
        round_up(std::clamp(layout.stack_bytes / 16, least_client_bytes, most_client_bytes), page_size), 3 * page_size);

    // The stack that is promised begins in the shared page, and may have nothing of it.
    std::size_t used = layout.guard_bytes + layout.stack_bytes + (layout.page_colours - 1) * page_size + layout.client_bytes;
    std::size_t pages = used / page_size;
    layout.size = is_large ? round_up(used, std::max(table_span, page_size)) : (pages | 1) * page_size;
    layout.shared_page = layout.size - layout.client_bytes;

    layout.warm_below = std::min(warm_bytes, layout.stack_bytes / 2) + page_size;
    layout.warm_above = std::min(warm_bytes, layout.client_bytes - 2 * page_size) + page_size;
    layout.deep_below = std::min(deep_bytes, layout.stack_bytes - line);
    return layout;
}

}  // namespace stackful
