// What is the same on Linux, macOS and FreeBSD.

#include "stackful/system/posix.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

#include "stackful/first_use.hpp"
#include "stackful/system/system.hpp"

namespace stackful::system {

std::size_t bytes_to_align(std::size_t bytes, std::size_t alignment) noexcept {
    return bytes + alignment - page_size();
}

std::byte* cut_to_align(std::byte* mapped, std::size_t bytes, std::size_t alignment, std::size_t offset) noexcept {
    auto misaligned = static_cast<std::size_t>(-(reinterpret_cast<std::uintptr_t>(mapped) + offset)) % alignment;
    std::byte* begin = mapped + misaligned;
    if (begin != mapped) {
        ::munmap(mapped, misaligned);
    }
    std::byte* end = begin + bytes;
    std::byte* mapped_end = mapped + bytes_to_align(bytes, alignment);
    if (end != mapped_end) {
        ::munmap(end, static_cast<std::size_t>(mapped_end - end));
    }
    return begin;
}

std::size_t page_size() noexcept {
    static constinit FirstUse<std::size_t> size;
    return size.value([]() noexcept { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); });
}

bool unreserve(std::byte* begin, std::size_t bytes) noexcept { return ::munmap(begin, bytes) == 0; }

bool make_accessible(std::byte* begin, std::size_t bytes) noexcept {
    return ::mprotect(begin, bytes, PROT_READ | PROT_WRITE) == 0;
}

bool begin_stack(std::byte*, std::byte*, std::byte*, Extent&) noexcept { return true; }

void shorten_stack(std::byte* low, std::byte* limit, Extent&) noexcept { withdraw(low, limit); }

void withdraw(std::byte* begin, std::byte* end) noexcept { discard(begin, static_cast<std::size_t>(end - begin)); }

void write_error(const char* text, std::size_t bytes) noexcept {
    [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, text, bytes);
}

}  // namespace stackful::system
