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

std::size_t page_size() noexcept;

// What suits this system's way of accounting: `when_needed` if it counts all memory that could be touched (Linux with
// vm.overcommit_memory=2), for then a large reservation would fail, or make other programs fail.
Commit preferred_commit() noexcept;

// Reserves address space, never backed by huge pages. nullptr if there is none.
std::byte* reserve(std::size_t bytes, Commit commit) noexcept;

// Undoes reserve(). False if the system can not, for want of mappings.
bool unreserve(std::byte* begin, std::size_t bytes) noexcept;

// Makes part of a `when_needed` reservation readable and writable. False if the system does not grant the memory.
[[nodiscard]] bool make_accessible(std::byte* begin, std::size_t bytes) noexcept;

// Makes each access to the range end in SIGSEGV. False if the system can not, say for want of mappings.
[[nodiscard]] bool install_guard(std::byte* begin, std::size_t bytes) noexcept;

// Gives the pages' memory back. They stay accessible, and read as zero.
void discard(std::byte* begin, std::size_t bytes) noexcept;

}  // namespace stackful::system
