// What the engine asks of the operating system: address space, and operations on ranges of it.
//
// Each system has an implementation in this folder. All ranges are whole pages.

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

// The way that suits this system's accounting. It is `when_needed` if the system counts all memory that could be
// touched (Linux with vm.overcommit_memory=2), because a large reservation would fail then, or make other programs
// fail.
Commit preferred_commit() noexcept;

// The kind that the system supports, or `marked` if there is no memory to find out.
Guard preferred_guard() noexcept;

// Reserves address space, which is never backed by huge pages nor locked in memory. The address `offset` bytes from its
// begin is a multiple of `alignment`, which is a power of two and at least a page. nullptr if there is no room.
std::byte* reserve(std::size_t bytes, std::size_t alignment, std::size_t offset, Commit commit) noexcept;

// How far down a stack is accessible, where the system extends stacks as they grow (Windows): the pages above `limit`
// are. The one below it is marked: when it is touched, the system makes it accessible and marks the next one. An access
// further down ends the process. Elsewhere all of a stack is accessible, and there is nothing to know.
#if defined(_WIN32)
inline constexpr bool extends_stacks = true;

struct Extent {
    std::byte* limit = nullptr;  // nullptr: all of the stack is accessible

    bool reaches(const std::byte* address) const noexcept { return limit <= address; }
};
#else
inline constexpr bool extends_stacks = false;

struct Extent {
    static constexpr bool reaches(const std::byte*) noexcept { return true; }
};
#endif

// Makes [limit, end) of a `when_needed` reservation accessible, whose stack [low, limit) is extended from there.
// False if the system does not grant the memory. Where the system does not extend stacks, all of it is accessible
// already.
[[nodiscard]] bool begin_stack(std::byte* low, std::byte* limit, std::byte* end, Extent& extent) noexcept;

// Gives back the memory of a stack below `limit`, from where the system extends it again.
void shorten_stack(std::byte* low, std::byte* limit, Extent& extent) noexcept;

// Gives the memory back, and where the system extends stacks makes it inaccessible until begin_stack().
void withdraw(std::byte* begin, std::byte* end) noexcept;

// Undoes reserve(). False if the system lacks the mappings for that.
bool unreserve(std::byte* begin, std::size_t bytes) noexcept;

// Makes part of a `when_needed` reservation readable and writable. False if the system does not grant the memory.
[[nodiscard]] bool make_accessible(std::byte* begin, std::size_t bytes) noexcept;

// Makes every access to an accessible range end in SIGSEGV, on macOS in SIGBUS. False if there is no memory or no
// mapping left for that.
[[nodiscard]] bool install_guard(std::byte* begin, std::size_t bytes, Guard guard) noexcept;

// The running thread's own stack. Empty if it is not known.
struct Bounds {
    std::byte* low;
    std::byte* base;

    bool holds(const void* address) const noexcept { return address >= low && address < base; }
};
Bounds thread_stack() noexcept;

// To be called before a thread runs on another stack than its own for the first time. Some systems remember only the
// stack that a thread runs on.
#if defined(_WIN32)
void note_thread_stack() noexcept;
#else
inline void note_thread_stack() noexcept {}
#endif

// The size of the stack that the process gives a thread: its soft limit. 0 if it has none, or if it is not known.
std::size_t stack_limit() noexcept;

// How many bytes can still be reserved and made accessible within the limits of the process and the system.
std::size_t room(Commit commit) noexcept;

// Why there is no room for more.
enum class Obstacle {
    address_space,  // the process's limit (RLIMIT_AS)
    data,           // its limit of writable memory (RLIMIT_DATA)
    locked,         // its limit of locked memory (RLIMIT_MEMLOCK)
    promises,       // the system promises no more memory than it has (vm.overcommit_memory=2)
    mappings,       // the number of mappings (vm.max_map_count)
    memory,         // none of these: there is no memory
};

// Why `bytes` more could not be reserved and made accessible a moment ago.
Obstacle find_obstacle(std::size_t bytes, Commit commit) noexcept;

// Finds out which pages of a range are in memory: sets pages[i] to 0 if page i is not. False if the range is not
// mapped.
[[nodiscard]] bool find_resident(std::byte* begin, std::size_t bytes, unsigned char* pages) noexcept;

// Gives the memory of the pages back. They stay accessible and read as zero.
void discard(std::byte* begin, std::size_t bytes) noexcept;

// Writes a text to the process's standard error. For handlers of signals and faults: it uses nothing that may be
// locked.
void write_error(const char* text, std::size_t bytes) noexcept;

}  // namespace stackful::system
