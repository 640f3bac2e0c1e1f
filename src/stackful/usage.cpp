#include "stackful/usage.hpp"

#include <algorithm>
#include <span>

namespace stackful {

namespace {

// Which pages of a region are in memory, a part at a time.
class Residency {
public:
    Residency(const Region& region, Usage& usage) noexcept
        : region_(region), page_size_(region.layout->page_size), usage_(usage) {}

    void measure() noexcept {
        for (std::size_t number = 0; number < region_.carved.load(std::memory_order_relaxed); ++number) {
            measure_slot(number);
        }
        usage_.table_bytes += spans_ * page_size_;
    }

private:
    void measure_slot(std::size_t number) noexcept {
        const SlotLayout& layout = *region_.layout;
        std::byte* begin = region_.begin_of(number);
        add_to_tables(begin + layout.guard_bytes - page_size_);
        std::byte* base = begin + layout.base_of(number);
        lowest_ = base;
        unsigned char pages[part_pages];
        std::byte* end = begin + layout.size;
        for (std::byte* part = begin + layout.guard_bytes; part < end; part += sizeof pages * page_size_) {
            std::size_t bytes = std::min(sizeof pages * page_size_, static_cast<std::size_t>(end - part));
            if (system::find_resident(part, bytes, pages)) {
                count(part, {pages, bytes / page_size_});
            }
        }
        usage_.deepest_bytes = std::max(usage_.deepest_bytes, static_cast<std::size_t>(base - lowest_));
    }

    void count(std::byte* part, std::span<const unsigned char> pages) noexcept {
        for (std::size_t page = 0; page < pages.size(); ++page) {
            if (pages[page] != 0) {
                std::byte* address = part + page * page_size_;
                usage_.resident_bytes += page_size_;
                add_to_tables(address);
                lowest_ = std::min(lowest_, address);
            }
        }
    }

    // Addresses come in rising order.
    void add_to_tables(const std::byte* address) noexcept {
        std::uintptr_t span = reinterpret_cast<std::uintptr_t>(address) / span_bytes();
        spans_ += span != last_span_;
        last_span_ = span;
    }

    // A page of entries of 8 bytes each.
    std::size_t span_bytes() const noexcept { return page_size_ / 8 * page_size_; }

    static constexpr std::size_t part_pages = 1024;

    const Region& region_;
    std::size_t page_size_;
    Usage& usage_;
    std::byte* lowest_ = nullptr;  // page of the stack of this slot that is in memory
    std::uintptr_t last_span_ = 0;
    std::size_t spans_ = 0;
};

}  // namespace

Usage measure_usage(StackPool& pool) noexcept {
    Usage usage{};
    pool.for_each_region([&](const Region& region) {
        usage.reserved_bytes += region.slots * region.layout->size;
        Residency(region, usage).measure();
    });
    usage.slots = pool.slots();
    usage.slots_in_use = std::min(pool.slots_in_use(), usage.slots);
    return usage;
}

}  // namespace stackful
