#include "stackful/stack.hpp"

#include "stackful/system/system.hpp"

namespace stackful {

void trim(Slot& slot) noexcept {
    const SlotLayout& layout = *slot.layout;
    std::byte* begin = slot.begin();
    system::discard(slot.low, layout.warm_low - layout.low);
    system::discard(begin + layout.warm_high, layout.size - layout.warm_high);
}

void trim_suspended(Slot& slot, const void* stack_pointer) noexcept {
    // The ABI lets a function use a little memory below its stack pointer, 128 bytes on x86-64, but that is forfeit
    // when it calls another one, as everybody does who is suspended. The warm part leaves far more.
    std::size_t used = static_cast<std::size_t>(slot.stack_base() - static_cast<const std::byte*>(stack_pointer));
    std::size_t page = system::page_size();
    std::size_t keep = (used + SlotLayout::warm_bytes + page - 1) / page * page;
    std::size_t page_offset = slot.layout->base % page;
    if (slot.stack_bytes() < keep + page) {
        return;
    }
    std::byte* end = slot.stack_base() - page_offset - keep;
    if (!is_untouched(end - 64)) {
        system::discard(slot.low, static_cast<std::size_t>(end - slot.low));
    }
}

}  // namespace stackful
