// The pool: where slots come from and where they go back to.
//
//      thread A                 thread B
//     StackCache               StackCache         free slots of one size, last in first out; no lock (cache.hpp)
//          \                       /
//           \                     /
//            +---- StackPool ----+                the process's reserve, behind a mutex; for each size of slot ...
//                      |
//          region, region, region ...             ... address space for 16 to 1,024 slots each (region.hpp)
//
// A thread acquires from its cache and releases to its cache, whichever thread the slot came from. An empty cache is
// refilled from the reserve, and the reserve carves new slots from a region. A cache that holds too many gives
// some to the reserve, and one that is destroyed gives all of them.
//
// A free slot keeps its warm part until it is *decommitted*, on request. Then the few slots that are used next keep one
// page. The others become *cold*: they keep nothing but page tables and a bit in a map. A region whose slots are all
// cold is unmapped, page tables included.

#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>

#include "stackful/mutex.hpp"
#include "stackful/region.hpp"
#include "stackful/stack.hpp"
#include "stackful/system/system.hpp"

namespace stackful {

class StackCache;

// All slots of one size. Lives as long as its pool.
struct SizeClass {
    SlotLayout layout;
    Slot* reserve = nullptr;  // free slots that are in no cache, last released first
    std::size_t reserve_count = 0;
    std::size_t cold_count = 0;     // cold slots, in all regions
    std::size_t carved = 0;         // slots that exist
    std::size_t room = 0;           // slots that can still be carved from the existing regions
    Region* region = nullptr;       // where the last slot came from
    std::size_t next_region_slots;  // how many the next region should hold
    SizeClass* next = nullptr;
};

// How many free slots a cache holds. The pool owns it, because after a fork the child has the tallies of caches whose
// threads and memory are gone.
struct CacheTally {
    std::atomic<std::size_t> count{0};  // written by the cache only
    CacheTally* next = nullptr;
};

// The process-wide reserve. Any thread may call any function.
class StackPool {
public:
    static constexpr std::size_t first_region_slots = 16;
    static constexpr std::size_t most_region_slots = Region::most_slots;

    // The process's own. It is never destroyed, and survives a fork.
    static StackPool& shared() noexcept;

    // Another one, for tests. When it is destroyed, its caches must be gone and all slots released.
    explicit StackPool(system::Commit commit = system::preferred_commit(),
                       system::Guard guard = system::preferred_guard()) noexcept
        : commit_(system::extends_stacks ? system::Commit::when_needed : commit), guard_(guard) {}
    ~StackPool();
    StackPool(const StackPool&) = delete;
    StackPool& operator=(const StackPool&) = delete;

    // The slot whose guard an address is in, or nullptr. Async-signal-safe.
    const Slot* slot_guarding(const void* address) const noexcept;

    // The slot on whose stack an address is, or nullptr. The slot has to be in use.
    Slot* slot_holding(const void* address) const noexcept;

    // Decommits the slots in the reserve, except a page of each of the `most_warm` that are used next, and unmaps
    // regions whose slots are all cold.
    void decommit() noexcept;
    static constexpr std::size_t most_warm = 64;

    // How many slots are neither in the reserve nor in a cache. Exact while no other thread acquires or releases.
    std::size_t slots_in_use() noexcept;

    // How many slots there are, free or not.
    std::size_t slots() noexcept;

    // Calls function(const Region&) for each region that is mapped, while the reserve is locked.
    template <class Function>
    void for_each_region(Function function) {
        std::lock_guard lock(mutex_);
        for (Region* region = regions_.load(std::memory_order_relaxed); region != nullptr; region = region->older) {
            if (region->begin.load(std::memory_order_relaxed) != nullptr) {
                function(*region);
            }
        }
    }

private:
    friend class StackCache;

    // For the caches. nullptr where there is no memory.
    CacheTally* add_tally() noexcept;
    void remove_tally(CacheTally* tally) noexcept;
    SizeClass* size_class(std::size_t stack_size) noexcept;
    Slot* take(SizeClass& size_class, std::size_t wanted) noexcept;  // a list, shorter if there are fewer
    void give(Slot* first, Slot* last, std::size_t count) noexcept;  // a list of slots of one size

    Slot* make_slot(SizeClass& size_class) noexcept;
    Slot* warm_up(SizeClass& size_class, Region& region) noexcept;
    Slot* carve(SizeClass& size_class, Region& region) noexcept;
    void decommit(SizeClass& size_class, Slot& slot) noexcept;
    void unmap(SizeClass& size_class, Region& region) noexcept;
    Region* add_region(SizeClass& size_class) noexcept;

    template <class Condition>
    Region* find_region(const SizeClass& size_class, Condition condition) noexcept;

    // The slot that an address is in.
    struct Place {
        const SlotLayout* layout;  // nullptr if it is in none
        std::byte* region_begin;
        std::size_t number;
        std::size_t offset;  // within the slot
    };
    Place place_of(const void* address) const noexcept;

    struct ForkHandlers;
    static const ForkHandlers fork_handlers;

    Mutex mutex_;
    const system::Commit commit_;
    const system::Guard guard_;
    SizeClass* size_classes_ = nullptr;
    CacheTally* tallies_ = nullptr;
    std::atomic<Region*> regions_{nullptr};  // never removed from, so a signal handler can read the list
};

// The slot of the process's pool in whose guard an address lies, or nullptr. Async-signal-safe.
const Slot* slot_guarding(const void* address) noexcept;

}  // namespace stackful
