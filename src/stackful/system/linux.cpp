// The operating-system interface on Linux.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>

#include "stackful/system/system.hpp"

namespace stackful::system {
namespace {

// Not yet in the C library's headers.
constexpr int madv_populate_read = 22;   // Linux 5.14 on
constexpr int madv_guard_install = 102;  // Linux 6.13 on: marks page-table entries as guards, which takes no mapping

enum class Guards { untried, installed, mapped };
std::atomic<Guards> guards{Guards::untried};

// Marks the pages as guards. Fails on an older kernel; or if the memory is locked (mlockall).
bool install_in_page_table(std::byte* begin, std::size_t bytes) noexcept {
    return ::madvise(begin, bytes, madv_guard_install) == 0;
}

// Some that are not Linux but say they are (user-mode QEMU) accept any advice, and do nothing. A guard can not be
// populated.
bool is_really_installed(std::byte* begin, std::size_t bytes) noexcept {
    return ::madvise(begin, bytes, madv_populate_read) != 0;
}

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

bool unreserve(std::byte* begin, std::size_t bytes) noexcept { return ::munmap(begin, bytes) == 0; }

bool make_accessible(std::byte* begin, std::size_t bytes) noexcept {
    return ::mprotect(begin, bytes, PROT_READ | PROT_WRITE) == 0;
}

bool install_guard(std::byte* begin, std::size_t bytes) noexcept {
    Guards kind = guards.load(std::memory_order_relaxed);
    if (kind != Guards::mapped && install_in_page_table(begin, bytes) &&
        (kind == Guards::installed || is_really_installed(begin, bytes))) {
        guards.store(Guards::installed, std::memory_order_relaxed);
        return true;
    }
    guards.store(Guards::mapped, std::memory_order_relaxed);
    return ::mprotect(begin, bytes, PROT_NONE) == 0;  // two more mappings
}

void discard(std::byte* begin, std::size_t bytes) noexcept { ::madvise(begin, bytes, MADV_DONTNEED); }

}  // namespace stackful::system
