// The layout of a slot: one C stack, its guard, and memory for the client. A stack that is hardly used costs a single
// page, and many slots do not compete for the same cache sets.
//
//     begin + size -> +----------------------+
//                     |  left to the colours |   never touched
//             high -> +----------------------+
//                     |     client area      |   grows up: the client's saved state and its own stack of frames
//                     |          ^           |
//                     |   - - - - - - - -    | <- client_begin()
//                     |     Slot header      |
//             base -> |   - - - - - - - -    |   in the middle of the shared page, in which both sides begin
//                     |          |           |
//                     |          v           |
//                     |       C stack        |   grows down: stack_bytes are promised, the rest is left by the colours
//              low -> +----------------------+
//                     |        guard         |   an access ends in SIGSEGV
//            begin -> +----------------------+
//
// Guard. A function with a large frame moves the stack pointer by the whole frame before it touches any of it. So it
// can step over a guard of one page, into another stack. (OpenBLAS has frames of 541 KiB.) A large slot therefore has a
// guard of 1 MiB, which is what Linux keeps free below the stack of a process.
//
// Page tables. The processor looks up addresses in pages of page-table entries. One such page covers `table_span`
// bytes, and the system allocates it when an address in its span is first used; a guard uses its entries too. So large
// slots are whole spans long, and each begins 1 MiB before the end of a span: the shared page of a slot and the guard
// of the next one lie in the same span, and a parked stack takes one page of page tables instead of two.
//
// Colours. Addresses a power of two apart compete for the same few entries of a cache, and of the cache of address
// translations. Slots that were all alike would compete with each other. So each begins its stack at another cache line
// of its shared page, and a large slot in another page too. A small slot is an odd number of pages long, which has the
// latter effect by itself.

#pragma once

#include <algorithm>
#include <cstddef>

namespace stackful {

// True where addresses have 32 bits: there are 3 or 4 GiB of them, for everything that a process does.
inline constexpr bool addresses_are_scarce = sizeof(void*) < 8;

// The bounds of a C stack's size, in bytes.
inline constexpr std::size_t minimum_stack_size = std::size_t{64} << 10;
inline constexpr std::size_t maximum_stack_size = std::size_t{1} << (addresses_are_scarce ? 29 : 36);

// Where things are in the slots of one stack size.
struct SlotLayout {
    // A slot is large if its stack has at least this size.
    static constexpr std::size_t least_large_stack = std::size_t{2} << 20;

    static constexpr std::size_t large_guard_bytes = std::size_t{1} << 20;
    static constexpr std::size_t small_guard_bytes = std::size_t{64} << 10;

    // Where addresses are scarce: the default size, and up to which size a stack has a smaller guard. CPython 3.12 and
    // 3.13 need a little more than the default.
    static constexpr std::size_t scarce_stack = std::size_t{128} << 10;
    static constexpr std::size_t most_with_scarce_guard = std::size_t{160} << 10;
    static constexpr std::size_t scarce_guard_bytes = std::size_t{8} << 10;

    // What a page of page-table entries covers, if pages have 4 KiB. A larger page covers more, and costs more than
    // sharing it saves.
    static constexpr std::size_t table_span = std::size_t{2} << 20;

    // The client area is a sixteenth of the stack's size, within these bounds.
    static constexpr std::size_t least_client_bytes = std::size_t{addresses_are_scarce ? 12 : 16} << 10;
    static constexpr std::size_t most_client_bytes = std::size_t{64} << 10;

    // A stack begins at one of `line_colours` lines of a page, which is enough for the first-level caches, and in one
    // of `page_colours` pages. The lowest bits of a page's number choose its set in the cache of translations, which
    // has some 128. The strides from one slot to the next share no factor with these numbers.
    static constexpr std::size_t line = 64;
    static constexpr std::size_t line_colours = 20;
    static constexpr std::size_t line_stride = 7;
    static constexpr std::size_t large_page_colours = 128;
    static constexpr std::size_t page_stride = 37;

    // The part of the C stack that lies in the shared page. A suspended execution that has called little fits into it.
    static constexpr std::size_t least_shared_stack = 1536;
    static constexpr std::size_t most_shared_stack = least_shared_stack + (line_colours - 1) * line;

    // Memory this close to the base, on either side, stays warm. Up to a page more does, because trimming is by whole
    // pages.
    static constexpr std::size_t warm_bytes = std::size_t{16} << 10;

    // A stack that was used further down than this was used so heavily that trimming it costs little in comparison.
    static constexpr std::size_t deep_bytes = std::size_t{128} << 10;

    std::size_t stack_bytes;  // promised
    std::size_t guard_bytes;
    std::size_t size;          // of the whole slot
    std::size_t client_bytes;  // from the begin of the shared page on
    std::size_t shared_page;   // offset of the highest place of the shared page ...
    std::size_t page_colours;  // ... which is in one of so many pages, from there down
    std::size_t page_size;
    std::size_t warm_below;  // distance of the telltale line below the base (stack.hpp) ...
    std::size_t warm_above;  // ... and of the one above it
    std::size_t deep_below;  // distance of the line that tells of heavy use

    // The layout for stacks of `stack_size` bytes, brought within the bounds and rounded up to whole pages.
    static constexpr SlotLayout for_stack(std::size_t stack_size, std::size_t page_size) noexcept {
        auto round_up = [](std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; };

        SlotLayout layout{};
        layout.page_size = page_size;
        std::size_t least_stack = std::max(minimum_stack_size, 8 * page_size);
        layout.stack_bytes = round_up(std::clamp(stack_size, least_stack, maximum_stack_size), page_size);
        bool is_large = layout.stack_bytes >= least_large_stack;
        bool is_scarce = addresses_are_scarce && layout.stack_bytes <= most_with_scarce_guard;
        std::size_t small_guard = is_scarce ? scarce_guard_bytes : small_guard_bytes;
        layout.guard_bytes = round_up(is_large ? large_guard_bytes : small_guard, page_size);
        layout.page_colours = is_large ? large_page_colours : 1;
        // Three pages at least: the telltale line lies beyond the warm part, and more of the area beyond the line.
        std::size_t client_bytes = std::clamp(layout.stack_bytes / 16, least_client_bytes, most_client_bytes);
        layout.client_bytes = std::max(round_up(client_bytes, page_size), 3 * page_size);

        // The shared page counts toward the client area only: the promised stack fits even without its part of that
        // page.
        std::size_t colour_bytes = (layout.page_colours - 1) * page_size;
        std::size_t used = layout.guard_bytes + layout.stack_bytes + colour_bytes + layout.client_bytes;
        std::size_t pages = used / page_size;
        layout.size = is_large ? round_up(used, std::max(table_span, page_size)) : (pages | 1) * page_size;
        layout.shared_page = layout.size - layout.client_bytes;

        layout.warm_below = std::min(warm_bytes, layout.stack_bytes / 2) + page_size;
        layout.warm_above = std::min(warm_bytes, layout.client_bytes - 2 * page_size) + page_size;
        layout.deep_below = std::min(deep_bytes, layout.stack_bytes - line);
        return layout;
    }

    // The offset of the base in the slot with this number.
    constexpr std::size_t base_of(std::size_t number) const noexcept {
        return shared_page - number * page_stride % page_colours * page_size + least_shared_stack +
               number * line_stride % line_colours * line;
    }

    // The end of the client area, likewise.
    constexpr std::size_t high_of(std::size_t number) const noexcept {
        return base_of(number) / page_size * page_size + client_bytes;
    }

    // The begin of the warm part of the stack, likewise.
    constexpr std::size_t warm_low_of(std::size_t number) const noexcept {
        return (base_of(number) - warm_below) / page_size * page_size + page_size;
    }
};

}  // namespace stackful
