#include "stackful/stack.hpp"

#include "stackful/system/system.hpp"

namespace stackful {

void trim(Slot& slot) noexcept {
    const SlotLayout& layout = *slot.layout;
    std::byte* begin = slot.begin();
    system::discard(slot.low, layout.warm_low - layout.low);
    system::discard(begin + layout.warm_high, layout.size - layout.warm_high);
}

void trim_suspended(Slot& slot, const void* stack_pointer, const void* client_top) noexcept {
    auto address = [](const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); };
    auto byte = [](std::uintptr_t place) { return reinterpret_cast<std::byte*>(place); };
    std::uintptr_t page = system::page_size();

    // The ABI lets a function use a little memory below its stack pointer, 128 bytes on x86-64, but that is forfeit
    // when it calls another one, as everybody does who is suspended. The warm part leaves far more.
    std::uintptr_t low = address(slot.low);
    std::uintptr_t unused_end = (address(stack_pointer) - SlotLayout::warm_bytes) / page * page;
    if (unused_end > low && !is_untouched(byte(unused_end) - 64)) {
        system::discard(slot.low, unused_end - low);
    }
    std::uintptr_t high = address(slot.high);
    std::uintptr_t unused_begin = (address(client_top) + SlotLayout::warm_bytes + page - 1) / page * page;
    if (unused_begin < high && !is_untouched(byte(unused_begin))) {
        system::discard(byte(unused_begin), high - unused_begin);
    }
}

}  // namespace stackful
