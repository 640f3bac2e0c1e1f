#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "coroutine.hpp"
#include "stackful/system/system.hpp"

namespace {

using stackful::Slot;
using stackful::SlotLayout;
using stackful::StackCache;

constexpr std::size_t page = 4096;

TEST(SlotLayout, leaves_the_client_a_quarter_within_bounds) {
    EXPECT_EQ(SlotLayout::for_size(1 << 20, page).size - (64 << 10) + 2560, SlotLayout::for_size(1 << 20, page).base);
    EXPECT_EQ(SlotLayout::for_size(64 << 10, page).size - (16 << 10) + 2560, SlotLayout::for_size(64 << 10, page).base);
    EXPECT_EQ(SlotLayout::for_size(128 << 10, page).size - (32 << 10) + 2560, SlotLayout::for_size(128 << 10, page).base);
}

TEST(SlotLayout, rounds_the_size_to_pages_within_bounds) {
    EXPECT_EQ(SlotLayout::for_size(0, page).size, stackful::minimum_slot_size);
    EXPECT_EQ(SlotLayout::for_size(100'000, page).size, 25 * page);
    EXPECT_EQ(SlotLayout::for_size(static_cast<std::size_t>(-1), page).size, stackful::maximum_slot_size);
}

TEST(SlotLayout, is_in_order_for_every_page_size) {
    for (std::size_t page_size : {4u << 10, 16u << 10, 64u << 10}) {
        for (std::size_t size = 64 << 10; size <= (4 << 20); size += 12345) {
            SlotLayout layout = SlotLayout::for_size(size, page_size);
            EXPECT_LE(layout.low, layout.deep_low);
            EXPECT_LT(layout.deep_low, layout.warm_low);
            EXPECT_LT(layout.low, layout.warm_low);
            EXPECT_LT(layout.warm_low, layout.base);
            EXPECT_LT(layout.base + sizeof(Slot), layout.warm_high);
            EXPECT_LT(layout.warm_high, layout.size);
            EXPECT_EQ(layout.low % page_size, 0u);
            EXPECT_EQ(layout.warm_low % page_size, 0u);
            EXPECT_EQ(layout.warm_high % page_size, 0u);
            EXPECT_EQ(layout.size % page_size, 0u);
            EXPECT_EQ(layout.base % page_size, 2560u);
        }
    }
}

TEST(Slot, is_writable_over_its_whole_range) {
    for (std::size_t size : {stackful::minimum_slot_size, stackful::default_slot_size}) {
        StackCache cache(size);
        Slot* slot = cache.acquire();
        ASSERT_NE(slot, nullptr);
        std::memset(slot->low, 0xAB, slot->stack_bytes());
        std::memset(slot->client_begin(), 0xCD, slot->client_bytes());
        EXPECT_EQ(slot->client_begin() + slot->client_bytes(), slot->client_end());
        EXPECT_EQ(slot->low[0], std::byte{0xAB});
        EXPECT_EQ(slot->client_end()[-1], std::byte{0xCD});
        cache.release(slot);
    }
}

TEST(Slot, is_aligned) {
    StackCache cache;
    Slot* slot = cache.acquire();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(slot->stack_base()) % 16, 0u);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(slot->client_begin()) % 16, 0u);
    cache.release(slot);
}

std::size_t resident_pages(std::byte* begin, std::byte* end) {
    std::size_t page_size = stackful::system::page_size();
    std::vector<unsigned char> resident(static_cast<std::size_t>(end - begin) / page_size);
    EXPECT_EQ(mincore(begin, resident.size() * page_size, resident.data()), 0);
    std::size_t pages = 0;
    for (unsigned char each : resident) {
        pages += each & 1;
    }
    return pages;
}

TEST(Trim, gives_back_everything_beyond_the_warm_part) {
    StackCache cache;
    Slot* slot = cache.acquire();
    std::memset(slot->low, 1, slot->stack_bytes());
    std::memset(slot->client_begin(), 1, slot->client_bytes());
    stackful::trim(*slot);
    std::size_t warm = (slot->layout->warm_high - slot->layout->warm_low) / stackful::system::page_size();
    EXPECT_EQ(resident_pages(slot->low, slot->high), warm);
    EXPECT_FALSE(was_used_beyond_warm(*slot, *slot->layout));
    cache.release(slot);
}

TEST(Trim, of_a_suspended_execution_keeps_what_it_uses) {
    StackCache cache;
    Coroutine coroutine(cache, [](Coroutine& self, void*) {
        auto use = [](std::size_t bytes) {
            auto* memory = static_cast<char*>(__builtin_alloca(bytes));
            std::memset(memory, 1, bytes);
            asm volatile("" ::"r"(memory) : "memory");
        };
        volatile char kept[8192];
        for (volatile char& each : kept) {
            each = 42;
        }
        [&use]() __attribute__((noinline)) { use(400 << 10); }();
        self.suspend();
        for (volatile char& each : kept) {
            EXPECT_EQ(each, 42);
        }
        return nullptr;
    });
    coroutine.resume();
    std::size_t page_size = stackful::system::page_size();
    if (!with_address_sanitizer) {  // which may have put all of it elsewhere
        EXPECT_GT(resident_pages(coroutine.slot()->low, coroutine.slot()->high), (400u << 10) / page_size);
    }
    std::byte* client = coroutine.slot()->client_begin();
    std::memset(client, 7, coroutine.slot()->client_bytes());
    stackful::trim_suspended(*coroutine.slot(), coroutine.execution().context.stack_pointer, client + 100);
    EXPECT_EQ(client[99], std::byte{7});
    if (!with_address_sanitizer) {
        EXPECT_LE(resident_pages(coroutine.slot()->low, coroutine.slot()->high), 8192 / page_size + 4);
    }
    coroutine.resume();
    EXPECT_TRUE(coroutine.finished());
}

}  // namespace
