// A thread's cache of free slots, in front of the pool (pool.hpp).
//
// A slot that ran deep. Its pages are given back when it is released, if a telltale line (stack.hpp) says that it was
// used beyond its warm part. But a program whose executions all run that deep would pay each time for giving pages back
// and touching them again. So a cache leaves a few slots (`most_untrimmed`) as they are, unless they were used very far
// down, and trims the others. And since the lines may fail to tell, one release in 4,096 trims without looking. A
// thread holds some 1 MiB for this.
//
// Measured on a virtual machine with two cores of an AMD EPYC (Zen 5, 4.1 GHz), Linux 6.18, medians of 7 runs:
//
//     acquire and release, one slot                       3.8 ns, of which 1.7 for the telltale lines
//     the same for 256 slots at once                       14 ns each: the processor's caches miss
//     the same for 4,096, which go through the reserve     35 ns each
//     acquire, write 64 KiB of stack, release             444 ns, mostly for writing: left untrimmed, no system call
//     acquire, write 256 KiB of stack, release            110 us: given back, and faulted in again
//     a new slot                                          2.5 us
//     mmap, mprotect, first touch and munmap instead       11 us

#pragma once

#include <atomic>
#include <cstddef>

#include "stackful/pool.hpp"
#include "stackful/stack.hpp"

namespace stackful {

// One thread's free slots. Used by one thread at a time.
class StackCache {
public:
    // When a cache holds this many slots, it gives half of them to the reserve. It checks now and then
    // (`check_period`).
    static constexpr std::size_t capacity = 1024;

    // How many slots are taken from the reserve at once.
    static constexpr std::size_t refill = 16;

    // How many free slots may stay untrimmed although they were used beyond their warm part.
    static constexpr std::size_t most_untrimmed = 8;

    // One release in `check_period` checks whether the cache is full. One in `trim_period` also trims its slot without
    // looking at the telltale lines.
    static constexpr std::size_t check_period = 256;
    static constexpr std::size_t trim_period = 16 * check_period;

    explicit StackCache(std::size_t stack_size, StackPool& pool = StackPool::shared()) noexcept : pool_(pool) {
        set_stack_size(stack_size);
    }
    ~StackCache();
    StackCache(const StackCache&) = delete;
    StackCache& operator=(const StackCache&) = delete;

    // A free slot. nullptr if there is no memory, address space or mapping left for a new one; then nothing
    // else has changed.
    [[nodiscard]] Slot* acquire() noexcept {
        Slot* slot = free_;
        if (slot == nullptr || slot->untrimmed) [[unlikely]] {
            return acquire_slowly();
        }
        return pop();
    }

    // Takes a slot back. No execution may be on it, and its memory must not be used any more.
    [[gnu::always_inline]] void release(Slot* slot) noexcept {
        if (slot->layout != layout_ || until_check_ == 0 || was_used_beyond_warm(*slot, *slot->layout)) [[unlikely]] {
            release_slowly(slot);
            return;
        }
        --until_check_;
        push(slot);
    }

    // Trims the free slots, and gives them to the reserve.
    void trim() noexcept;

    // Leaves a page to each of a few free slots, and has the reserve decommit the others. To be called now and then, at
    // a moment when time does not matter.
    void decommit() noexcept;

    // Sets how much stack the slots acquired from now on have, rounded as SlotLayout::for_stack() says. Slots of
    // another size that are released from now on go to the reserve.
    void set_stack_size(std::size_t stack_size) noexcept;
    std::size_t stack_size() const noexcept { return stack_size_; }

    // How much address space such a slot takes.
    std::size_t slot_bytes() const noexcept { return SlotLayout::for_stack(stack_size_, system::page_size()).size; }

    // How many free slots the cache holds.
    std::size_t count() const noexcept { return tally_ != nullptr ? tally_->count.load(std::memory_order_relaxed) : 0; }

private:
    void add_to_count(std::ptrdiff_t difference) noexcept {
        // No other thread writes it, so no atomic addition is needed.
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
    bool fill() noexcept;
    Slot* acquire_slowly() noexcept;
    void release_slowly(Slot* slot) noexcept;
    void spill(std::size_t slots) noexcept;

    Slot* free_ = nullptr;                // the free slots, last released first
    const SlotLayout* layout_ = nullptr;  // of these; nullptr before the first acquire of a size
    CacheTally* tally_ = nullptr;         // nullptr before the first acquire
    std::size_t until_check_ = 0;         // releases until the next check
    // Checks until the next one that trims.
    std::size_t until_trim_ = trim_period / check_period;
    std::size_t untrimmed_ = 0;        // how many free slots are untrimmed
    SizeClass* size_class_ = nullptr;  // of layout_
    std::size_t stack_size_ = 0;
    StackPool& pool_;
};

}  // namespace stackful
