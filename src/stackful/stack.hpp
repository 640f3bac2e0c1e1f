// A slot (drawn in layout.hpp): its header, and giving back the memory that its stack no longer needs.
//
// The header lies in the shared page and not beside the pool's own data, because that page is touched anyway.
//
// Trimming. A stack that once ran deep keeps the pages it touched, even if they are never needed again. Memory close to
// the base is *warm* and stays; memory beyond it can be given back to the system. On either side, a little beyond the
// warm part, there is a *telltale* line. Memory that was never touched reads as zero (which takes no memory: the system
// maps its page of zeros), and memory that was given back reads as zero again. So a telltale line that is not zero
// proves that the slot was used beyond it. The converse is only likely: a large local variable may have skipped the
// line. Whoever needs certainty trims without looking.

#pragma once

#include <cstddef>
#include <cstdint>

#include "stackful/annotations.hpp"
#include "stackful/context.hpp"
#include "stackful/layout.hpp"
#include "stackful/system/system.hpp"

namespace stackful {

struct Region;

// The header of a slot, at its base. It fills a cache line, so that what the client uses most begins another one.
struct alignas(64) Slot {
    Slot* next_free;                              // while free
    const SlotLayout* layout;                     // owned by the pool, so all slots of one size have the same pointer
    Region* region;                               // the pool's region that it was carved from
    std::byte* low;                               // lowest address of the stack, above the guard
    std::byte* high;                              // end of the client area
    bool untrimmed;                               // while free: not trimmed though it was used beyond its warm part
    [[no_unique_address]] system::Extent extent;  // of the stack, while no execution is on it

    // Where the stack begins, growing down. Aligned to cache lines.
    std::byte* stack_base() noexcept { return reinterpret_cast<std::byte*>(this); }
    const std::byte* stack_base() const noexcept { return reinterpret_cast<const std::byte*>(this); }

    // The end of the promised stack. All slots of a layout have the same distance from there to the base.
    std::byte* stack_end() noexcept { return stack_base() - layout->stack_bytes; }

    // The client's memory. Aligned to cache lines.
    std::byte* client_begin() noexcept { return stack_base() + sizeof(Slot); }
    const std::byte* client_begin() const noexcept { return stack_base() + sizeof(Slot); }
    std::byte* client_end() noexcept { return high; }

    // The low end of the guard.
    std::byte* begin() noexcept { return low - layout->guard_bytes; }
    const std::byte* begin() const noexcept { return low - layout->guard_bytes; }

    // True if an address is on the slot's stack. A suspended execution's stack pointer need not be: libraries that
    // recurse deeply continue on stacks of their own.
    bool has_on_stack(const void* address) const noexcept { return address >= low && address <= stack_base(); }

    std::size_t client_bytes() const noexcept { return static_cast<std::size_t>(high - stack_base()) - sizeof(Slot); }
};

static_assert(sizeof(Slot) == SlotLayout::line, "the header must not make a parked execution take a second page");
static_assert(SlotLayout::least_shared_stack % SlotLayout::line == 0, "the header starts a cache line");

// Prepares `execution` to begin at `entry` on the slot.
inline void prepare(Execution& execution, Slot& slot, EntryPoint entry) noexcept {
    prepare(execution, slot.low, slot.stack_base(), entry, slot.extent);
}

// Retires an execution that was prepared on the slot.
inline void retire(Execution& execution, Slot& slot) noexcept {
    slot.extent = extent_of(execution.context);
    retire(execution);
}

// Gives back everything beyond the warm part. No execution may be running or suspended on the slot.
void trim(Slot& slot) noexcept;

// Gives back everything but the shared page. No execution may be running or suspended on the slot.
void trim_to_shared_page(Slot& slot) noexcept;

// For a slot on which an execution is suspended and stays so meanwhile. Gives back what lies below its stack pointer,
// if it seems to have been used more than a warm part further down, and likewise what lies above the client's
// `client_top`. The stack is left alone if the stack pointer is not on it.
void trim_suspended(Slot& slot, Context suspended, const void* client_top) noexcept;

// True if a cache line holds only zeros. It may be on a stack, below the stack pointer, or unused.
__attribute__((no_sanitize("address", "thread"))) inline bool is_untouched(const std::byte* line) noexcept {
    using Word [[gnu::may_alias]] = std::uint64_t;
    annotations::inspect_unused(line, 64);
    auto* word = reinterpret_cast<const Word*>(line);
    return (word[0] | word[1] | word[2] | word[3] | word[4] | word[5] | word[6] | word[7]) == 0;
}

// True if a line of a stack was used, or memory below it. Where the system extends stacks it says so, and memory that
// it has not made accessible must not be read.
inline bool was_used_at(const system::Extent& stack, const std::byte* line) noexcept {
    return system::extends_stacks ? stack.reaches(line) : !is_untouched(line);
}

// True if a telltale line says that the slot was used beyond its warm part. `layout` is the slot's.
inline bool was_used_beyond_warm(const Slot& slot, const SlotLayout& layout) noexcept {
    return was_used_at(slot.extent, slot.stack_base() - layout.warm_below) ||
           !is_untouched(slot.stack_base() + layout.warm_above);
}

}  // namespace stackful
