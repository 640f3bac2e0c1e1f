// What the tests ask of the system, beside the engine.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#if defined(_WIN32)
#include "stackful/system/windows_header.hpp"
#else
#include <sys/mman.h>
#endif

// Which of the pages that begin at an address are in memory; empty if the range is not mapped.
inline std::vector<unsigned char> pages_in_memory(std::byte* begin, std::size_t count, std::size_t page_size) {
    std::vector<unsigned char> pages(count);
#if defined(_WIN32)
    for (std::size_t i = 0; i < count; ++i) {
        PSAPI_WORKING_SET_EX_INFORMATION page{};
        page.VirtualAddress = begin + i * page_size;
        K32QueryWorkingSetEx(GetCurrentProcess(), &page, sizeof page);
        pages[i] = page.VirtualAttributes.Valid;
    }
    MEMORY_BASIC_INFORMATION memory{};
    bool is_mapped = VirtualQuery(begin, &memory, sizeof memory) != 0 && memory.State != MEM_FREE;
#else
    bool is_mapped = ::mincore(begin, count * page_size, pages.data()) == 0;
    for (unsigned char& page : pages) {
        page &= 1;
    }
#endif
    return is_mapped ? pages : std::vector<unsigned char>{};
}
