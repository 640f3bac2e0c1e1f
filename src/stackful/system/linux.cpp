// The operating-system interface on Linux.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>

#include "stackful/system/system.hpp"

namespace stackful::system {
namespace {

// Linux 6.13 on: marks page-table entries as guards, which takes no mapping. Not yet in the C library's headers.
constexpr int madv_guard_install = 102;

std::atomic<bool> guards_can_be_installed{true};

}  // namespace

std::size_t page_size() noexcept {
    static const std::size_t size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return size;
}

Commit preferred_commit() noexcept {
    static const Commit commit = [] {
        char mode = '0';
        int file = ::open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
            if (::read(file, &mode, 1) != 1) {
                mode = '0';
            }
            ::close(file);
        }
        return mode == '2' ? Commit::when_needed : Commit::at_once;
    }();
    return commit;
}

std::byte* reserve(std::size_t bytes, Commit commit) noexcept {
    int protection = commit == Commit::at_once ? PROT_READ | PROT_WRITE : PROT_NONE;
    void* memory = ::mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) {
        return nullptr;
    }
    // A huge page would make the first touch of a stack cost 2 MiB. Fails harmlessly where there are none.
    ::madvise(memory, bytes, MADV_NOHUGEPAGE);
    return static_cast<std::byte*>(memory);
}

void unreserve(std::byte* begin, std::size_t bytes) noexcept { ::munmap(begin, bytes); }

bool make_accessible(std::byte* begin, std::size_t bytes) noexcept {
    return ::mprotect(begin, bytes, PROT_READ | PROT_WRITE) == 0;
}

bool install_guard(std::byte* begin, std::size_t bytes) noexcept {
    if (guards_can_be_installed.load(std::memory_order_relaxed)) {
        if (::madvise(begin, bytes, madv_guard_install) == 0) {
            return true;
        }
        // An older kernel; or the memory is locked (mlockall), which rules such guards out.
        guards_can_be_installed.store(false, std::memory_order_relaxed);
    }
    return ::mprotect(begin, bytes, PROT_NONE) == 0;  // two more mappings
}

void discard(std::byte* begin, std::size_t bytes) noexcept { ::madvise(begin, bytes, MADV_DONTNEED); }

}  // namespace stackful::system
