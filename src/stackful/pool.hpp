// The pool: where slots come from and where they go back to.
//
//      thread A                 thread B
//     StackCache               StackCache         free slots of one size, last in first out; no lock
//          \                       /
//           \                     /
//            +---- StackPool ----+                the process's reserve, behind a mutex; for each size of slot ...
//                      |
//          region, region, region ...             ... reservations of address space, 16 to 1,024 slots each
//
// A thread acquires from its cache and releases to its cache, whichever thread the slot came from. An empty cache is
// refilled from the reserve, and the reserve carves new slots from a region. A cache that holds too many gives
// some to the reserve, and one that dies gives all of them.
//
// A free slot keeps its warm part until it is *cooled*, on request. Then the few that are used next keep one page, and the
// others nothing but some 2 KiB of page tables and a bit in a map. A region all of whose slots are cold is unmapped, page
// tables and all.
//
// What happens to a slot that ran deep. Its pages are given back when it is released, if the lines that tell
// (stack.hpp) say it was used beyond its warm part. But a program whose executions all run that deep would pay for this
// each time, and for touching the pages again: so a cache leaves a few slots (`most_left_deep`) as they are, unless
// they were used very far down, and trims the others. And since the lines may fail to tell, one release in 4,096 trims
// without looking. What a thread so holds on to without need is some 1 MiB.
//
// Measured on a virtual machine with two cores of an AMD EPYC (Zen 5, 4.1 GHz), Linux 6.18, medians of 7 runs:
//
//     acquire and release, one slot                       3.8 ns, of which the look at the lines that tell 1.7
//     the same for 256 slots at once                       14 ns each: the caches miss
//     the same for 4,096, by way of the reserve            35 ns each
//     acquire, write 64 KiB of stack, release             444 ns, most of it the writing: left deep, no system call
//     acquire, write 256 KiB of stack, release            110 us: given back, and faulted in again
//     a slot that never was before                        2.5 us
//     mmap, mprotect, first touch and munmap instead       11 us

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "stackful/stack.hpp"
#include "stackful/system/system.hpp"

namespace stackful {

class StackCache;
class StackPool;

// A reservation of address space that slots are carved from, lowest first. The record lives as long as its pool.
struct Region {
    static constexpr std::size_t most_slots = 1024;

    std::atomic<std::byte*> begin{nullptr};  // nullptr while nothing is mapped
    std::size_t slots = 0;                   // that fit
    std::atomic<std::size_t> carved{0};      // slots that exist
    std::size_t cold_count = 0;              // slots without any memory, their headers included
    std::array<std::uint64_t, most_slots / 64> cold{};  // which, a bit each
    const SlotLayout* layout = nullptr;      // theirs
    Region* older = nullptr;                 // the regions of all sizes, newest first

    bool has_room() const noexcept { return carved.load(std::memory_order_relaxed) < slots; }
};

// All slots of one size. Lives as long as its pool.
struct SizeClass {
    SlotLayout layout;
    Slot* reserve = nullptr;        // free slots that are in no cache
    std::size_t reserve_count = 0;  // how many
    std::size_t cold_count = 0;     // slots that are cold
    std::size_t carved = 0;         // slots that exist
    std::size_t room = 0;           // slots that may still be carved from the regions there are
    Region* region = nullptr;       // that slots came from last
    std::size_t next_region_slots;  // how many the next one should hold
    SizeClass* next = nullptr;
};

// How many free slots a cache holds. Not in the cache itself, because after a fork the child has the records of caches whose
// threads, and memory, are gone.
struct CacheTally {
    std::atomic<std::size_t> count{0};  // written by the cache only
    CacheTally* next = nullptr;
};

// The process-wide reserve. All functions may be called by any thread.
class StackPool {
public:
    static constexpr std::size_t first_region_slots = 16;
    static constexpr std::size_t most_region_slots = Region::most_slots;

    // The process's own. It is never destroyed, and survives a fork.
    static StackPool& shared() noexcept;

    // Another one, for tests. All its caches must be gone, and all slots released, when it is destroyed.
    explicit StackPool(system::Commit commit = system::preferred_commit(),
                       system::Guard guard = system::preferred_guard()) noexcept
        : commit_(commit), guard_(guard) {}
    ~StackPool();
    StackPool(const StackPool&) = delete;
    StackPool& operator=(const StackPool&) = delete;

    // The slot whose guard an address is in, or nullptr. Async-signal-safe.
    const Slot* slot_guarding(const void* address) const noexcept;

    // The slot on whose stack an address is, or nullptr. The slot has to be in use.
    Slot* slot_holding(const void* address) const noexcept;

    // Takes all memory from the slots in the reserve, but for a page of each of the `most_warm` that are used next, and
    // unmaps regions that have no other slots.
    void decommit() noexcept;
    static constexpr std::size_t most_warm = 64;

    // How many slots are neither in the reserve nor in a cache. Exact when no other thread acquires or releases.
    std::size_t slots_in_use() noexcept;

    // How many slots there are, free or not.
    std::size_t slots() noexcept;

private:
    friend class StackCache;

    // For the caches. nullptr where there is no memory.
    CacheTally* add_tally() noexcept;
    void remove_tally(CacheTally* tally) noexcept;
    SizeClass* size_class(std::size_t stack_size) noexcept;
    Slot* take(SizeClass& size_class, std::size_t wanted) noexcept;  // a list, of fewer if there are not as many
    void give(Slot* first, Slot* last, std::size_t count) noexcept;  // a list of slots of the same size

    Slot* make_slot(SizeClass& size_class) noexcept;
    Slot* carve(SizeClass& size_class, Region& region) noexcept;
    Slot* warm_up(SizeClass& size_class, Region& region) noexcept;
    void decommit(SizeClass& size_class, Slot& slot) noexcept;
    void unmap(SizeClass& size_class, Region& region) noexcept;
    Region* add_region(SizeClass& size_class) noexcept;
    // Which slot an address is in. Without a region if it is in none.
    struct Place {
        std::byte* region_begin;
        const SlotLayout* layout;
        std::size_t number;
        std::size_t offset;  // in the slot
    };
    Place place_of(const void* address) const noexcept;

    template <class Condition>
    Region* find_region(const SizeClass& size_class, Condition condition) noexcept;

    struct ForkHandlers;
    static const ForkHandlers fork_handlers;

    std::mutex mutex_;
    const system::Commit commit_;
    const system::Guard guard_;
    SizeClass* size_classes_ = nullptr;
    CacheTally* tallies_ = nullptr;
    std::atomic<Region*> regions_{nullptr};  // only ever added to, so that a signal handler can read it
};

// One thread's free slots. Used by one thread at a time.
class StackCache {
public:
    // About so many slots are kept before half of them go to the reserve.
    static constexpr std::size_t capacity = 1024;

    // So many are taken from the reserve at once.
    static constexpr std::size_t refill = 16;

    // Up to so many of the free slots may be untrimmed, though they were used beyond their warm part.
    static constexpr std::size_t most_left_deep = 8;

    // One release in so many looks whether there are too many, and every 16th of these trims its slot unseen.
    static constexpr std::size_t look_after_period = 256;
    static constexpr std::size_t trim_period = 16 * look_after_period;

    explicit StackCache(std::size_t stack_size, StackPool& pool = StackPool::shared()) noexcept : pool_(pool) {
        set_stack_size(stack_size);
    }
    ~StackCache();
    StackCache(const StackCache&) = delete;
    StackCache& operator=(const StackCache&) = delete;

    // A slot nobody uses, or nullptr if there is no memory, address space or mapping left for a new one, and then
    // nothing else has changed.
    [[nodiscard]] Slot* acquire() noexcept {
        Slot* slot = free_;
        if (slot == nullptr || slot->untrimmed) [[unlikely]] {
            return acquire_slowly();
        }
        return pop();
    }

    // Takes a slot back. Nothing may run on it, and nobody may use its memory any more.
    void release(Slot* slot) noexcept {
        if (slot->layout != layout_ || until_look_after_ == 0 || was_used_beyond_warm(*slot, *slot->layout))
            [[unlikely]] {
            release_slowly(slot);
            return;
        }
        --until_look_after_;
        push(slot);
    }

    // Gives all that is free to the reserve, with nothing left untrimmed.
    void trim() noexcept;

    // Leaves a page to each of a few free slots, and has the reserve take all memory from the others. To be called now and
    // then by who knows a time when that does not matter.
    void decommit() noexcept;

    // How much stack the slots acquired from now on have, rounded as SlotLayout::for_stack() says. Those with another size that
    // are released from now on go to the reserve.
    void set_stack_size(std::size_t stack_size) noexcept;
    std::size_t stack_size() const noexcept { return stack_size_; }

    // How much address space such a slot takes.
    std::size_t slot_bytes() const noexcept { return SlotLayout::for_stack(stack_size_, system::page_size()).size; }

    // How many free slots the cache holds.
    std::size_t count() const noexcept {
        return tally_ != nullptr ? tally_->count.load(std::memory_order_relaxed) : 0;
    }

private:
    void add_to_count(std::ptrdiff_t difference) noexcept {
        // Nobody else writes it, so no atomic addition is needed.
        std::size_t count = tally_->count.load(std::memory_order_relaxed);
        tally_->count.store(count + static_cast<std::size_t>(difference), std::memory_order_relaxed);
    }
    void push(Slot* slot) noexcept {
        slot->next_free = free_;
        free_ = slot;
        add_to_count(1);
    }
    Slot* pop() noexcept {
        Slot* slot = free_;
        free_ = slot->next_free;
        add_to_count(-1);
        return slot;
    }
    Slot* acquire_slowly() noexcept;
    void release_slowly(Slot* slot) noexcept;
    void spill(std::size_t slots) noexcept;

    Slot* free_ = nullptr;                // the slots that are free, last released first
    const SlotLayout* layout_ = nullptr;  // theirs; nullptr before the first acquire of a size
    CacheTally* tally_ = nullptr;         // nullptr before the first acquire
    std::size_t until_look_after_ = 0;    // so many releases until one looks after what is not done at each
    std::size_t until_trim_ = trim_period / look_after_period;  // so many of these until one trims
    std::size_t left_deep_ = 0;           // how many free slots are marked so
    SizeClass* size_class_ = nullptr;     // that layout_ belongs to
    std::size_t stack_size_ = 0;
    StackPool& pool_;
};

// The slot of the process's pool in whose guard an address lies, or nullptr. Async-signal-safe.
const Slot* slot_guarding(const void* address) noexcept;

}  // namespace stackful
