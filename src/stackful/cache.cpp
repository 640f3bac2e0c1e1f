#include "stackful/cache.hpp"

namespace stackful {

StackCache::~StackCache() {
    spill(count());
    if (tally_ != nullptr) {
        pool_.remove_tally(tally_);
    }
}

// Takes free slots from the reserve. False if there is no memory.
bool StackCache::fill() noexcept {
    if (tally_ == nullptr && (tally_ = pool_.add_tally()) == nullptr) {
        return false;
    }
    system::note_thread_stack();
    if (size_class_ == nullptr) {
        size_class_ = pool_.size_class(stack_size_);
        if (size_class_ == nullptr) {
            return false;
        }
        layout_ = &size_class_->layout;
    }
    Slot* list = pool_.take(*size_class_, refill);
    while (list != nullptr) {
        Slot* next = list->next_free;
        push(list);
        list = next;
    }
    return free_ != nullptr;
}

Slot* StackCache::acquire_slowly() noexcept {
    if (free_ == nullptr && !fill()) {
        return nullptr;
    }
    Slot* slot = pop();
    if (slot->untrimmed) {
        slot->untrimmed = false;
        --untrimmed_;
    }
    return slot;
}

void StackCache::release_slowly(Slot* slot) noexcept {
    if (slot->layout != layout_) {
        stackful::trim(*slot);
        pool_.give(slot, slot, 1);
        return;
    }
    if (until_check_-- == 0) {
        until_check_ = check_period - 1;
        if (count() >= capacity) {
            spill(capacity / 2);
        }
        if (until_trim_-- == 0) {
            until_trim_ = trim_period / check_period - 1;
            stackful::trim(*slot);
        }
    }
    if (was_used_beyond_warm(*slot, *layout_)) {
        if (untrimmed_ < most_untrimmed && !was_used_at(slot->extent, slot->stack_base() - layout_->deep_below)) {
            slot->untrimmed = true;
            ++untrimmed_;
        }
        else {
            stackful::trim(*slot);
        }
    }
    push(slot);
}

// Gives the `slots` slots that were released last to the reserve.
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
            --untrimmed_;
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
    untrimmed_ = 0;
    pool_.decommit();
}

void StackCache::trim() noexcept {
    for (Slot* slot = free_; slot != nullptr; slot = slot->next_free) {
        stackful::trim(*slot);
        slot->untrimmed = false;
    }
    untrimmed_ = 0;
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
