// The operating-system interface, as far as macOS and FreeBSD have the same. Both promise more memory than there is,
// and neither counts mappings, so all of a reservation is accessible at once, and guards are mappings of their own.

#include "stackful/system/bsd.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "stackful/system/posix.hpp"
#include "stackful/system/system.hpp"

namespace stackful::system {

namespace {

constexpr int accessible = PROT_READ | PROT_WRITE;
constexpr int flags = MAP_PRIVATE | MAP_ANON;

}  // namespace

Commit preferred_commit() noexcept { return Commit::at_once; }

Guard preferred_guard() noexcept { return Guard::mapped; }

// A program may have locked all its future memory (mlockall): see linux.cpp.
std::byte* reserve(std::size_t bytes, std::size_t alignment, std::size_t offset, Commit commit) noexcept {
    void* memory = ::mmap(nullptr, bytes_to_align(bytes, alignment), PROT_NONE, flags, no_file(), 0);
    if (memory == MAP_FAILED) {
        return nullptr;
    }
    std::byte* begin = cut_to_align(static_cast<std::byte*>(memory), bytes, alignment, offset);
    ::munlock(begin, bytes);
    if (commit == Commit::at_once && !make_accessible(begin, bytes)) {
        unreserve(begin, bytes);
        return nullptr;
    }
    return begin;
}

bool install_guard(std::byte* begin, std::size_t bytes, Guard) noexcept {
    return ::mprotect(begin, bytes, PROT_NONE) == 0;
}

std::size_t room(Commit) noexcept { return address_space_left(); }

Obstacle find_obstacle(std::size_t bytes, Commit) noexcept {
    return bytes > address_space_left() ? Obstacle::address_space : Obstacle::memory;
}

bool find_resident(std::byte* begin, std::size_t bytes, unsigned char* pages) noexcept {
    if (::mincore(begin, bytes, reinterpret_cast<char*>(pages)) != 0) {
        return false;
    }
    std::for_each(pages, pages + bytes / page_size(), [](unsigned char& page) { page &= MINCORE_INCORE; });
    return true;
}

// By new pages in the place of the old ones: no advice of these systems promises zeros. Where the system refuses, the
// memory is kept.
void discard(std::byte* begin, std::size_t bytes) noexcept {
    if (bytes > 0 && ::mmap(begin, bytes, accessible, flags | MAP_FIXED, no_file(), 0) == MAP_FAILED) {
        std::memset(begin, 0, bytes);
    }
}

}  // namespace stackful::system
