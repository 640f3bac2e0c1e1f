#include "stackful/pool.hpp"

#include <algorithm>
#include <cassert>
#include <limits>
#include <new>

#include "stackful/annotations.hpp"
#include "stackful/heap.hpp"

namespace stackful {

namespace {

// The process's pool. It is never destroyed, because threads may end and give their slots back after the destructors of
// static objects ran. It is made when the library is loaded and not at the first use, which another thread's fork could
// cut in two.
alignas(StackPool) std::byte shared_pool[sizeof(StackPool)];

[[maybe_unused]] const StackPool* const made_shared_pool = ::new (shared_pool) StackPool;

bool give_back(std::byte* begin, std::size_t bytes) noexcept {
    annotations::give_back(begin, bytes);
    return system::unreserve(begin, bytes);
}

// Reserves address space for slots, or returns nullptr. The guards of large ones end where a span of page-table entries
// begins.
std::byte* reserve_slots(const SlotLayout& layout, std::size_t count, system::Commit commit) noexcept {
    if (count > std::numeric_limits<std::size_t>::max() / layout.size) {
        return nullptr;
    }
    bool is_large = layout.page_colours > 1;
    std::size_t alignment = is_large ? std::max(SlotLayout::table_span, layout.page_size) : layout.page_size;
    return system::reserve(count * layout.size, alignment, layout.guard_bytes, commit);
}

Slot* slot_at(std::byte* begin, std::size_t number, const SlotLayout& layout) noexcept {
    return reinterpret_cast<Slot*>(begin + number * layout.size + layout.base_of(number));
}

}  // namespace

StackPool& StackPool::shared() noexcept { return *std::launder(reinterpret_cast<StackPool*>(shared_pool)); }

struct StackPool::ForkHandlers {
    // A fork while another thread holds the mutex would leave it locked permanently in the child.
    ForkHandlers() noexcept {
        system::page_size();  // its first use
        system::at_fork([] { shared().mutex_.lock(); }, [] { shared().mutex_.unlock(); },
                        [] { shared().mutex_.unlock(); });
    }
};

const StackPool::ForkHandlers StackPool::fork_handlers;

StackPool::~StackPool() {
    assert(slots_in_use() == 0);
    assert(tallies_ == nullptr);
    for (Region* region = regions_.load(std::memory_order_relaxed); region != nullptr;) {
        Region* older = region->older;
        if (std::byte* begin = region->begin.load(std::memory_order_relaxed)) {
            give_back(begin, region->slots * region->layout->size);
        }
        destroy(region);
        region = older;
    }
    while (size_classes_ != nullptr) {
        SizeClass* next = size_classes_->next;
        destroy(size_classes_);
        size_classes_ = next;
    }
}

StackPool::Place StackPool::place_of(const void* address) const noexcept {
    auto* byte = static_cast<const std::byte*>(address);
    for (Region* region = regions_.load(std::memory_order_acquire); region != nullptr; region = region->older) {
        std::size_t slot_size = region->layout->size;
        std::size_t carved = region->carved.load(std::memory_order_acquire);
        std::byte* begin = region->begin.load(std::memory_order_relaxed);
        if (begin != nullptr && byte >= begin && byte < begin + carved * slot_size) {
            std::size_t offset = static_cast<std::size_t>(byte - begin);
            return {region->layout, begin, offset / slot_size, offset % slot_size};
        }
    }
    return {};
}

const Slot* StackPool::slot_guarding(const void* address) const noexcept {
    Place place = place_of(address);
    bool is_guard = place.layout != nullptr && place.offset < place.layout->guard_bytes;
    return is_guard ? slot_at(place.region_begin, place.number, *place.layout) : nullptr;
}

Slot* StackPool::slot_holding(const void* address) const noexcept {
    Place place = place_of(address);
    Slot* slot = place.layout != nullptr ? slot_at(place.region_begin, place.number, *place.layout) : nullptr;
    bool is_stack = slot != nullptr && place.offset >= place.layout->guard_bytes && address <= slot->stack_base();
    return is_stack ? slot : nullptr;
}

const Slot* slot_guarding(const void* address) noexcept { return StackPool::shared().slot_guarding(address); }

std::size_t StackPool::slots_in_use() noexcept {
    std::lock_guard lock(mutex_);
    std::size_t existing = 0;
    std::size_t free = 0;
    for (SizeClass* each = size_classes_; each != nullptr; each = each->next) {
        existing += each->carved;
        free += each->reserve_count + each->cold_count;
    }
    for (CacheTally* each = tallies_; each != nullptr; each = each->next) {
        free += each->count.load(std::memory_order_relaxed);
    }
    return existing > free ? existing - free : 0;
}

std::size_t StackPool::slots() noexcept {
    std::lock_guard lock(mutex_);
    std::size_t existing = 0;
    for (SizeClass* each = size_classes_; each != nullptr; each = each->next) {
        existing += each->carved;
    }
    return existing;
}

CacheTally* StackPool::add_tally() noexcept {
    auto* tally = new (heap) CacheTally;
    if (tally != nullptr) {
        std::lock_guard lock(mutex_);
        tally->next = tallies_;
        tallies_ = tally;
    }
    return tally;
}

void StackPool::remove_tally(CacheTally* tally) noexcept {
    {
        std::lock_guard lock(mutex_);
        CacheTally** link = &tallies_;
        while (*link != tally) {
            link = &(*link)->next;
        }
        *link = tally->next;
    }
    destroy(tally);
}

SizeClass* StackPool::size_class(std::size_t stack_size) noexcept {
    SlotLayout layout = SlotLayout::for_stack(stack_size, system::page_size());
    std::lock_guard lock(mutex_);
    for (SizeClass* each = size_classes_; each != nullptr; each = each->next) {
        if (each->layout.stack_bytes == layout.stack_bytes) {
            return each;
        }
    }
    auto* created = new (heap) SizeClass{.layout = layout, .next_region_slots = first_region_slots};
    if (created != nullptr) {
        created->next = size_classes_;
        size_classes_ = created;
    }
    return created;
}

Slot* StackPool::take(SizeClass& size_class, std::size_t wanted) noexcept {
    std::lock_guard lock(mutex_);
    Slot* list = nullptr;
    for (; wanted > 0 && size_class.reserve != nullptr; --wanted) {
        Slot* slot = size_class.reserve;
        size_class.reserve = slot->next_free;
        --size_class.reserve_count;
        slot->next_free = list;
        list = slot;
    }
    // New slots one by one, because each costs a page.
    return list != nullptr ? list : make_slot(size_class);
}

void StackPool::give(Slot* first, Slot* last, std::size_t count) noexcept {
    std::lock_guard lock(mutex_);
    SizeClass* size_class = size_classes_;
    while (&size_class->layout != first->layout) {
        size_class = size_class->next;
    }
    last->next_free = size_class->reserve;
    size_class->reserve = first;
    size_class->reserve_count += count;
}

namespace {

// Lays out the header of a slot, whose memory is accessible.
Slot* make_header(Region& region, std::size_t number, system::Extent extent = {}) noexcept {
    const SlotLayout& layout = *region.layout;
    std::byte* begin = region.begin_of(number);
    return ::new (begin + layout.base_of(number)) Slot{.next_free = nullptr,
                                                       .layout = &layout,
                                                       .region = &region,
                                                       .low = begin + layout.guard_bytes,
                                                       .high = begin + layout.high_of(number),
                                                       .untrimmed = false,
                                                       .extent = extent};
}

// Makes the client area and the warm part of the stack of a new or cold slot accessible, where the system extends
// stacks.
bool begin_stack(Region& region, std::size_t number, system::Extent& extent) noexcept {
    const SlotLayout& layout = *region.layout;
    std::byte* begin = region.begin_of(number);
    return system::begin_stack(begin + layout.guard_bytes, begin + layout.warm_low_of(number),
                               begin + layout.high_of(number), extent);
}

}  // namespace

void StackPool::decommit() noexcept {
    std::lock_guard lock(mutex_);
    for (SizeClass* each = size_classes_; each != nullptr; each = each->next) {
        // The slots released last are at the front.
        Slot** link = &each->reserve;
        for (std::size_t kept = 0; kept < most_warm && *link != nullptr; ++kept) {
            trim_to_shared_page(**link);
            link = &(*link)->next_free;
        }
        while (Slot* slot = *link) {
            *link = slot->next_free;
            --each->reserve_count;
            decommit(*each, *slot);
        }
    }
}

void StackPool::decommit(SizeClass& size_class, Slot& slot) noexcept {
    Region& region = *slot.region;
    std::size_t number = region.number_of(slot.begin());
    system::withdraw(slot.low, slot.high);  // the header too
    region.mark_cold(number);
    ++size_class.cold_count;
    if (region.is_all_cold()) {
        unmap(size_class, region);
    }
}

void StackPool::unmap(SizeClass& size_class, Region& region) noexcept {
    std::size_t carved = region.carved.load(std::memory_order_relaxed);
    if (!give_back(region.begin.load(std::memory_order_relaxed), region.slots * size_class.layout.size)) {
        return;
    }
    region.begin.store(nullptr, std::memory_order_relaxed);
    region.carved.store(0, std::memory_order_relaxed);
    region.cold_count = 0;
    region.cold = {};
    size_class.cold_count -= carved;
    size_class.carved -= carved;
    size_class.room -= region.slots - carved;
    region.slots = 0;
}

// Makes a slot of a cold one, or carves a new one. nullptr if there is no memory.
Slot* StackPool::make_slot(SizeClass& size_class) noexcept {
    Region*& region = size_class.region;
    if (size_class.cold_count > 0) {
        if (region->cold_count == 0) {
            region = find_region(size_class, [](const Region& each) { return each.cold_count > 0; });
        }
        return warm_up(size_class, *region);
    }
    if (region == nullptr || !region->has_room()) {
        region = size_class.room > 0 ? find_region(size_class, [](const Region& each) { return each.has_room(); })
                                     : add_region(size_class);
    }
    return region != nullptr ? carve(size_class, *region) : nullptr;
}

Slot* StackPool::warm_up(SizeClass& size_class, Region& region) noexcept {
    std::size_t number = region.take_cold();
    system::Extent extent;
    if (!begin_stack(region, number, extent)) {
        region.mark_cold(number);
        return nullptr;
    }
    --size_class.cold_count;
    return make_header(region, number, extent);
}

Slot* StackPool::carve(SizeClass& size_class, Region& region) noexcept {
    const SlotLayout& layout = size_class.layout;
    std::size_t number = region.carved.load(std::memory_order_relaxed);
    std::byte* begin = region.begin_of(number);
    // Memory that is not made accessible serves as a guard.
    system::Extent extent;
    bool is_ready;
    if (system::extends_stacks) {
        is_ready = begin_stack(region, number, extent);
    }
    else {
        is_ready = commit_ == system::Commit::at_once
                       ? system::install_guard(begin, layout.guard_bytes, guard_)
                       : system::make_accessible(begin + layout.guard_bytes, layout.size - layout.guard_bytes);
    }
    if (!is_ready) {
        return nullptr;
    }
    Slot* slot = make_header(region, number, extent);
    region.carved.store(number + 1, std::memory_order_release);
    ++size_class.carved;
    --size_class.room;
    return slot;
}

template <class Condition>
Region* StackPool::find_region(const SizeClass& size_class, Condition condition) noexcept {
    Region* region = regions_.load(std::memory_order_relaxed);
    while (region != nullptr && (region->layout != &size_class.layout || !condition(*region))) {
        region = region->older;
    }
    return region;
}

Region* StackPool::add_region(SizeClass& size_class) noexcept {
    // Reuses the record of a region that was unmapped, if there is one.
    Region* unmapped = find_region(size_class, [](const Region& each) { return each.slots == 0; });
    Region* region = unmapped != nullptr ? unmapped : new (heap) Region;
    if (region == nullptr) {
        return nullptr;
    }
    // Where there is no room for many slots there may be room for some.
    std::size_t slots = size_class.next_region_slots;
    std::byte* begin = reserve_slots(size_class.layout, slots, commit_);
    while (begin == nullptr && (slots /= 2) > 0) {
        begin = reserve_slots(size_class.layout, slots, commit_);
    }
    if (begin == nullptr) {
        if (unmapped == nullptr) {
            destroy(region);
        }
        return nullptr;
    }
    region->begin.store(begin, std::memory_order_relaxed);
    region->slots = slots;
    region->layout = &size_class.layout;
    size_class.room += slots;
    size_class.next_region_slots = std::min(2 * slots, most_region_slots);
    if (unmapped == nullptr) {
        region->older = regions_.load(std::memory_order_relaxed);
        regions_.store(region, std::memory_order_release);
    }
    return region;
}

}  // namespace stackful
