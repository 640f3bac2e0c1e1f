#include "stackful/pool.hpp"

#include <pthread.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <new>

#include "stackful/annotations.hpp"

namespace stackful {

namespace {

// The process's pool. Never destroyed: threads may end, and give back their slots, after the destructors of static objects
// ran. Made when the library is loaded, not at the first use, which another thread's fork could cut in two.
alignas(StackPool) std::byte shared_pool[sizeof(StackPool)];

[[maybe_unused]] const StackPool* const made_shared_pool = ::new (shared_pool) StackPool;

bool give_back(std::byte* begin, std::size_t bytes) noexcept {
    annotations::give_back(begin, bytes);
    return system::unreserve(begin, bytes);
}

// Slots whose guards end where a span of page-table entries begins.
std::byte* reserve_slots(const SlotLayout& layout, std::size_t count, system::Commit commit) noexcept {
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
    // A fork while another thread holds the mutex would leave it locked for ever in the child.
    ForkHandlers() noexcept {
        system::page_size();  // so that no thread is about to find out
        ::pthread_atfork([] { shared().mutex_.lock(); }, [] { shared().mutex_.unlock(); },
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
        delete region;
        region = older;
    }
    while (size_classes_ != nullptr) {
        SizeClass* next = size_classes_->next;
        delete size_classes_;
        size_classes_ = next;
    }
}

StackPool::Place StackPool::place_of(const void* address) const noexcept {
    auto* byte = static_cast<const std::byte*>(address);
    for (Region* region = regions_.load(std::memory_order_acquire); region != nullptr; region = region->older) {
        const SlotLayout& layout = *region->layout;
        std::size_t carved = region->carved.load(std::memory_order_acquire);
        std::byte* begin = region->begin.load(std::memory_order_relaxed);
        if (begin != nullptr && byte >= begin && byte < begin + carved * layout.size) {
            std::size_t offset = static_cast<std::size_t>(byte - begin);
            return {begin, &layout, offset / layout.size, offset % layout.size};
        }
    }
    return {};
}

const Slot* StackPool::slot_guarding(const void* address) const noexcept {
    Place place = place_of(address);
    bool is_guard = place.region_begin != nullptr && place.offset < place.layout->guard_bytes;
    return is_guard ? slot_at(place.region_begin, place.number, *place.layout) : nullptr;
}

Slot* StackPool::slot_holding(const void* address) const noexcept {
    Place place = place_of(address);
    Slot* slot = place.region_begin != nullptr ? slot_at(place.region_begin, place.number, *place.layout) : nullptr;
    return slot != nullptr && place.offset >= place.layout->guard_bytes && address <= slot->stack_base() ? slot : nullptr;
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
    auto* tally = new (std::nothrow) CacheTally;
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
    delete tally;
}

SizeClass* StackPool::size_class(std::size_t stack_size) noexcept {
    SlotLayout layout = SlotLayout::for_stack(stack_size, system::page_size());
    std::lock_guard lock(mutex_);
    for (SizeClass* each = size_classes_; each != nullptr; each = each->next) {
        if (each->layout.stack_bytes == layout.stack_bytes) {
            return each;
        }
    }
    auto* created = new (std::nothrow) SizeClass{.layout = layout, .next_region_slots = first_region_slots};
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
    // Others one by one: each costs a page.
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

Slot* make_header(Region& region, std::size_t number) noexcept {
    const SlotLayout& layout = *region.layout;
    std::byte* first = region.begin.load(std::memory_order_relaxed);
    std::byte* begin = first + number * layout.size;
    std::size_t base = layout.base_of(number);
    return ::new (slot_at(first, number, layout)) Slot{
        .next_free = nullptr,
        .layout = &layout,
        .region = &region,
        .low = begin + layout.guard_bytes,
        .high = begin + base / layout.page_size * layout.page_size + layout.client_bytes,
        .untrimmed = false};
}

}  // namespace

void StackPool::decommit() noexcept {
    std::lock_guard lock(mutex_);
    for (SizeClass* each = size_classes_; each != nullptr; each = each->next) {
        // The first ones in the list were released last.
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
    std::byte* begin = slot.begin();
    std::size_t index = static_cast<std::size_t>(begin - region.begin.load(std::memory_order_relaxed)) / size_class.layout.size;
    system::discard(slot.low, static_cast<std::size_t>(slot.high - slot.low));
    region.cold[index / 64] |= std::uint64_t{1} << index % 64;
    ++region.cold_count;
    ++size_class.cold_count;
    if (region.cold_count == region.carved.load(std::memory_order_relaxed)) {
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

// A slot with a header. nullptr if there is no memory.
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
    auto word = std::find_if(region.cold.begin(), region.cold.end(), [](std::uint64_t bits) { return bits != 0; });
    auto index = static_cast<std::size_t>((word - region.cold.begin()) * 64 + std::countr_zero(*word));
    *word &= *word - 1;
    --region.cold_count;
    --size_class.cold_count;
    return make_header(region, index);
}

Slot* StackPool::carve(SizeClass& size_class, Region& region) noexcept {
    const SlotLayout& layout = size_class.layout;
    std::size_t index = region.carved.load(std::memory_order_relaxed);
    std::byte* begin = region.begin.load(std::memory_order_relaxed) + index * layout.size;
    // What is not made accessible guards as well.
    bool is_ready = commit_ == system::Commit::at_once
                        ? system::install_guard(begin, layout.guard_bytes, guard_)
                        : system::make_accessible(begin + layout.guard_bytes, layout.size - layout.guard_bytes);
    if (!is_ready) {
        return nullptr;
    }
    Slot* slot = make_header(region, index);
    region.carved.store(index + 1, std::memory_order_release);
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
    // The record of one that was unmapped will do.
    Region* unmapped = find_region(size_class, [](const Region& each) { return each.slots == 0; });
    Region* region = unmapped != nullptr ? unmapped : new (std::nothrow) Region;
    if (region == nullptr) {
        return nullptr;
    }
    std::byte* begin = nullptr;
    std::size_t slots = size_class.next_region_slots;
    // Where there is no room for many there may be for some.
    for (; slots > 0; slots /= 2) {
        begin = reserve_slots(size_class.layout, slots, commit_);
        if (begin != nullptr) {
            break;
        }
    }
    if (begin == nullptr) {
        if (unmapped == nullptr) {
            delete region;
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

StackCache::~StackCache() {
    spill(count());
    if (tally_ != nullptr) {
        pool_.remove_tally(tally_);
    }
}

Slot* StackCache::acquire_slowly() noexcept {
    if (free_ == nullptr) {
        if (tally_ == nullptr && (tally_ = pool_.add_tally()) == nullptr) {
            return nullptr;
        }
        if (size_class_ == nullptr) {
            size_class_ = pool_.size_class(stack_size_);
            if (size_class_ == nullptr) {
                return nullptr;
            }
            layout_ = &size_class_->layout;
        }
        Slot* list = pool_.take(*size_class_, refill);
        if (list == nullptr) {
            return nullptr;
        }
        while (list != nullptr) {
            Slot* next = list->next_free;
            push(list);
            list = next;
        }
    }
    Slot* slot = pop();
    if (slot->untrimmed) {
        slot->untrimmed = false;
        --left_deep_;
    }
    return slot;
}

void StackCache::release_slowly(Slot* slot) noexcept {
    if (slot->layout != layout_) {
        stackful::trim(*slot);
        pool_.give(slot, slot, 1);
        return;
    }
    if (until_look_after_-- == 0) {
        until_look_after_ = look_after_period - 1;
        if (count() >= capacity) {
            spill(capacity / 2);
        }
        if (until_trim_-- == 0) {
            until_trim_ = trim_period / look_after_period - 1;
            stackful::trim(*slot);
        }
    }
    if (was_used_beyond_warm(*slot, *layout_)) {
        if (left_deep_ < most_left_deep && is_untouched(slot->stack_base() - layout_->deep_below)) {
            slot->untrimmed = true;
            ++left_deep_;
        } else {
            stackful::trim(*slot);
        }
    }
    push(slot);
}

// Gives the `slots` that were released last to the reserve.
void StackCache::spill(std::size_t slots) noexcept {
    if (slots == 0) {
        return;
    }
    Slot* first = free_;
    Slot* last = nullptr;
    for (std::size_t i = 0; i < slots; ++i) {
        last = pop();
        if (last->untrimmed) {
            stackful::trim(*last);
            last->untrimmed = false;
            --left_deep_;
        }
    }
    pool_.give(first, last, slots);
}

void StackCache::decommit() noexcept {
    if (count() > StackPool::most_warm) {
        spill(count() - StackPool::most_warm);
    }
    for (Slot* slot = free_; slot != nullptr; slot = slot->next_free) {
        trim_to_shared_page(*slot);
        slot->untrimmed = false;
    }
    left_deep_ = 0;
    pool_.decommit();
}

void StackCache::trim() noexcept {
    for (Slot* slot = free_; slot != nullptr; slot = slot->next_free) {
        stackful::trim(*slot);
        slot->untrimmed = false;
    }
    left_deep_ = 0;
    spill(count());
}

void StackCache::set_stack_size(std::size_t stack_size) noexcept {
    std::size_t rounded = SlotLayout::for_stack(stack_size, system::page_size()).stack_bytes;
    if (rounded == stack_size_) {
        return;
    }
    spill(count());
    stack_size_ = rounded;
    size_class_ = nullptr;
    layout_ = nullptr;
}

}  // namespace stackful
