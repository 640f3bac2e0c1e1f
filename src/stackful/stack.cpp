#include "stackful/stack.hpp"

#include "stackful/context.hpp"
#include "stackful/system/system.hpp"

namespace stackful {

namespace {

// The first byte of the page that holds an address.
std::byte* page_of(std::byte* address) noexcept {
    return address - reinterpret_cast<std::uintptr_t>(address) % system::page_size();
}

// Gives back the memory of a stack below an address.
void discard_below(Slot& slot, std::byte* limit, system::Extent& extent) noexcept {
    if (limit != slot.low && extent.reaches(limit - 1)) {
        system::shorten_stack(slot.low, limit, extent);
    }
}

}  // namespace

void trim(Slot& slot) noexcept {
    const SlotLayout& layout = *slot.layout;
    std::byte* warm_low = page_of(slot.stack_base() - layout.warm_below) + layout.page_size;
    std::byte* warm_high = page_of(slot.stack_base() + layout.warm_above);
    discard_below(slot, warm_low, slot.extent);
    system::discard(warm_high, static_cast<std::size_t>(slot.high - warm_high));
}

void trim_to_shared_page(Slot& slot) noexcept {
    std::byte* shared_page = page_of(slot.stack_base());
    discard_below(slot, shared_page, slot.extent);
    std::byte* beyond = shared_page + system::page_size();
    system::discard(beyond, static_cast<std::size_t>(slot.high - beyond));
}

void trim_suspended(Slot& slot, Context suspended, const void* client_top) noexcept {
    const void* stack_pointer = suspended.stack_pointer;
    auto address = [](const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); };
    auto byte = [](std::uintptr_t place) { return reinterpret_cast<std::byte*>(place); };
    std::uintptr_t page = system::page_size();

    // The ABI lets a function use some memory below its stack pointer, 128 bytes on x86-64.
    constexpr std::uintptr_t red_zone = 256;
    std::uintptr_t low = address(slot.low);
    std::uintptr_t beyond_warm = (address(stack_pointer) - SlotLayout::warm_bytes) / page * page;
    if (slot.has_on_stack(stack_pointer) && beyond_warm > low &&
        was_used_at(extent_of(suspended), byte(beyond_warm) - 64)) {
        std::uintptr_t unused_end = (address(stack_pointer) - red_zone) / page * page;
        system::Extent extent = extent_of(suspended);
        discard_below(slot, byte(unused_end), extent);
        set_extent(suspended, extent);
    }
    // Differences, because a sum may wrap around: with 32-bit addresses a slot may end close to the highest one.
    std::uintptr_t high = address(slot.high);
    std::uintptr_t unused = high - address(client_top);
    std::uintptr_t spare = unused / page * page;  // from the first page that is not used at all
    std::uintptr_t beyond = unused > SlotLayout::warm_bytes ? (unused - SlotLayout::warm_bytes) / page * page : 0;
    if (address(client_top) < high && beyond > 0 && !is_untouched(byte(high - beyond))) {
        system::discard(byte(high - spare), spare);
    }
}

}  // namespace stackful
