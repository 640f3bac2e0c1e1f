// What the pool asks of the operating system: address space, and what is done to ranges of it.
//
// One implementation a system, in this folder. All ranges are whole pages.

#pragma once

#include <cstddef>

namespace stackful::system {

// How memory that has been reserved becomes accessible.
enum class Commit {
    at_once,      // all of it is accessible, and costs memory page by page as it is touched
    when_needed,  // none of it is until make_accessible(), and only then counts against the system's limit
};

// How a range becomes a guard.
enum class Guard {
    marked,  // its page-table entries say so: takes no mapping. Linux 6.13 on
    mapped,  // it is a mapping of its own, without access: takes two mappings
};

std::size_t page_size() noexcept;

// What suits this system's way of accounting: `when_needed` if it counts all memory that could be touched (Linux with
// vm.overcommit_memory=2), for then a large reservation would fail, or make other programs fail.
Commit preferred_commit() noexcept;

// What the system can do, or `marked` if there is no memory to find out.
Guard preferred_guard() noexcept;

// Reserves address space, never backed by huge pages nor locked in memory. The address `offset` bytes from its begin is
// a multiple of `alignment`, which is a power of two and at least a page. nullptr if there is none.
std::byte* reserve(std::size_t bytes, std::size_t alignment, std::size_t offset, Commit commit) noexcept;

// Undoes reserve(). False if the system can not, for want of mappings.
bool unreserve(std::byte* begin, std::size_t bytes) noexcept;

// Makes part of a `when_needed` reservation readable and writable. False if the system does not grant the memory.
[[nodiscard]] bool make_accessible(std::byte* begin, std::size_t bytes) noexcept;

// Makes each access to an accessible range end in SIGSEGV. False if there is no memory for it, or no mapping left.
[[nodiscard]] bool install_guard(std::byte* begin, std::size_t bytes, Guard guard) noexcept;

// The running thread's own stack. Empty if that is not known.
struct Bounds {
    std::byte* low;
    std::byte* base;

    bool holds(const void* address) const noexcept { return address >= low && address < base; }
};
Bounds thread_stack() noexcept;

// The size of the stack that the process gives a thread: its soft limit. 0 if it has none, or it can't be had.
std::size_t stack_limit() noexcept;

// How many bytes may still be reserved and made accessible, as far as the process and the system limit that.
std::size_t room(Commit commit) noexcept;

// What stands in the way of more.
enum class Obstacle {
    address_space,  // the process's limit (RLIMIT_AS)
    data,           // its limit of writable memory (RLIMIT_DATA)
    locked,         // its limit of locked memory (RLIMIT_MEMLOCK)
    promises,       // the system promises no more memory than it has (vm.overcommit_memory=2)
    mappings,       // the number of mappings (vm.max_map_count)
    memory,         // none of these, so there is none
};

// Why `bytes` more could not be reserved and made accessible just now.
Obstacle find_obstacle(std::size_t bytes, Commit commit) noexcept;

// Gives the pages' memory back. They stay accessible, and read as zero.
void discard(std::byte* begin, std::size_t bytes) noexcept;

}  // namespace stackful::system
