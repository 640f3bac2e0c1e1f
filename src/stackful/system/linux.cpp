// The operating-system interface on Linux.

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#if !defined(__GLIBC__)
#include <sys/auxv.h>
#endif

#include "stackful/annotations.hpp"
#include "stackful/first_use.hpp"
#include "stackful/system/posix.hpp"
#include "stackful/system/system.hpp"

namespace stackful::system {
namespace {

// Not yet in the C library's headers.
constexpr int madv_populate_read = 22;   // Linux 5.14 on
constexpr int madv_guard_install = 102;  // Linux 6.13 on: marks page-table entries as guards, which takes no mapping

constexpr int pr_set_vma = 0x53564d41;  // Linux 5.17 on
constexpr unsigned long pr_set_vma_anon_name = 0;

bool mark_as_guard(std::byte* begin, std::size_t bytes) noexcept {
    return ::madvise(begin, bytes, madv_guard_install) == 0;
}

// A file of the system, read without allocating memory.
class SystemFile {
public:
    explicit SystemFile(const char* path) noexcept : file_(::open(path, O_RDONLY | O_CLOEXEC)) {}
    ~SystemFile() {
        if (file_ >= 0) {
            ::close(file_);
        }
    }
    SystemFile(const SystemFile&) = delete;
    SystemFile& operator=(const SystemFile&) = delete;

    // The next part of the file, as a string. nullptr at the end.
    const char* next() noexcept {
        ssize_t count = file_ >= 0 ? ::read(file_, text_, sizeof text_ - 1) : 0;
        text_[std::max<ssize_t>(count, 0)] = '\0';
        return count > 0 ? text_ : nullptr;
    }

private:
    int file_;
    char text_[4096];
};

// The number that follows `name` in a file, or with which it begins if `name` is empty. 0 if there is none.
std::size_t number_in(const char* path, const char* name = "") noexcept {
    SystemFile file(path);
    const char* text = file.next();
    const char* place = text != nullptr ? std::strstr(text, name) : nullptr;
    if (place == nullptr) {
        return 0;
    }
    place += std::strlen(name);
    place += std::strspn(place, " \t");
    std::size_t number = 0;
    std::from_chars(place, place + std::strlen(place), number);
    return number;
}

std::size_t lines_in(const char* path) noexcept {
    SystemFile file(path);
    std::size_t lines = 0;
    while (const char* text = file.next()) {
        lines += static_cast<std::size_t>(std::count(text, text + std::strlen(text), '\n'));
    }
    return lines;
}

constexpr std::size_t kibibyte = 1024;

constexpr const char* status = "/proc/self/status";

std::size_t address_space_left() noexcept {
    return left_of(soft_limit(RLIMIT_AS), number_in(status, "\nVmSize:") * kibibyte);
}

std::size_t data_left() noexcept { return left_of(soft_limit(RLIMIT_DATA), number_in(status, "\nVmData:") * kibibyte); }

std::size_t promises_left(Commit commit) noexcept {
    if (commit == Commit::at_once) {
        return no_limit;
    }
    constexpr const char* memory = "/proc/meminfo";
    return left_of(number_in(memory, "\nCommitLimit:") * kibibyte, number_in(memory, "\nCommitted_AS:") * kibibyte);
}

// True if the error may not occur the next time.
bool is_want_of_memory(int error) noexcept { return error == ENOMEM || error == EAGAIN; }

// Tries to mark a page of its own. Systems that only claim to be Linux, as user-mode QEMU does, accept any advice and
// ignore it. The page is a guard if it can't be populated.
bool can_mark() noexcept {
    std::byte* page = reserve(page_size(), page_size(), 0, Commit::at_once);
    if (page == nullptr) {
        return true;  // as far as is known
    }
    bool marked = mark_as_guard(page, page_size()) ? ::madvise(page, page_size(), madv_populate_read) != 0
                                                   : is_want_of_memory(errno);
    unreserve(page, page_size());
    return marked;
}

// Maps address space without access. It uses the system call itself, because memory profilers replace mmap() and would
// take reserved memory for memory in use. (They do not see the stacks of threads either.) ThreadSanitizer has to know
// of the mapping.
void* map_address_space(std::size_t bytes) noexcept {
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK;
#if defined(STACKFUL_THREAD_SANITIZER)
    return ::mmap(nullptr, bytes, PROT_NONE, flags, -1, 0);
#else
#if defined(__s390__)  // its call takes the address of the arguments
    unsigned long arguments[] = {0, bytes, PROT_NONE, flags, static_cast<unsigned long>(-1), 0};
    return reinterpret_cast<void*>(::syscall(SYS_mmap, arguments));
#elif defined(SYS_mmap2)
    return reinterpret_cast<void*>(::syscall(SYS_mmap2, nullptr, bytes, PROT_NONE, flags, -1, 0));
#else
    return reinterpret_cast<void*>(::syscall(SYS_mmap, nullptr, bytes, PROT_NONE, flags, -1, 0));
#endif
#endif
}

#if defined(__GLIBC__)
Bounds with_room_to_grow(const Bounds& stack) noexcept { return stack; }  // glibc has found out
#else
// How much of the process's own stack is taken for its stack if it may grow without limit.
constexpr std::size_t without_limit = std::size_t{8} << 20;

// True for the stack that the system gave the process. The kernel puts 16 random bytes on it, next to the arguments.
bool is_stack_of_process(const Bounds& stack) noexcept {
    constexpr std::size_t most_arguments = std::size_t{6} << 20;
    std::uintptr_t on_it = ::getauxval(AT_RANDOM);
    return on_it >= reinterpret_cast<std::uintptr_t>(stack.low) &&
           on_it < reinterpret_cast<std::uintptr_t>(stack.base) + most_arguments;
}

// musl tells how much of the process's own stack there is so far. It grows when it is used.
Bounds with_room_to_grow(const Bounds& stack) noexcept {
    if (!is_stack_of_process(stack)) {
        return stack;
    }
    std::size_t limit = std::min(stack_limit(), reinterpret_cast<std::uintptr_t>(stack.base));
    return {std::min(stack.low, stack.base - (limit != 0 ? limit : without_limit)), stack.base};
}
#endif

}  // namespace

Commit preferred_commit() noexcept {
    static constinit FirstUse<Commit> commit;
    return commit.value([]() noexcept {
        bool counts_promises = number_in("/proc/sys/vm/overcommit_memory") == 2;
        return counts_promises ? Commit::when_needed : Commit::at_once;
    });
}

// A program may have locked all its future memory (mlockall). Memory that is mapped accessible is filled with pages at
// once then; so it is mapped without access, unlocked, and only then made accessible.
std::byte* reserve(std::size_t bytes, std::size_t alignment, std::size_t offset, Commit commit) noexcept {
    void* memory = map_address_space(bytes_to_align(bytes, alignment));
    if (memory == MAP_FAILED) {
        return nullptr;
    }
    std::byte* begin = cut_to_align(static_cast<std::byte*>(memory), bytes, alignment, offset);
    ::munlock(begin, bytes);
    // With a huge page the first touch of a stack would cost 2 MiB. Fails harmlessly where there are none.
    ::madvise(begin, bytes, MADV_NOHUGEPAGE);
    // For whoever reads /proc/PID/smaps. Fails harmlessly where mappings have no names.
    ::prctl(pr_set_vma, pr_set_vma_anon_name, begin, bytes, "greenlet stacks");
    if (commit == Commit::at_once && !make_accessible(begin, bytes)) {
        unreserve(begin, bytes);
        return nullptr;
    }
    return begin;
}

Guard preferred_guard() noexcept {
    static constinit FirstUse<Guard> guard;
    return guard.value([]() noexcept { return can_mark() ? Guard::marked : Guard::mapped; });
}

bool install_guard(std::byte* begin, std::size_t bytes, Guard guard) noexcept {
    if (guard == Guard::marked) {
        if (mark_as_guard(begin, bytes)) {
            return true;
        }
        if (is_want_of_memory(errno)) {
            return false;
        }
        // The kernel refuses guards in memory that was locked (mlockall) after it was reserved. Or preferred_guard()
        // had no memory to find out whether the kernel has guards.
    }
    return ::mprotect(begin, bytes, PROT_NONE) == 0;
}

Bounds thread_stack() noexcept {
    pthread_attr_t attributes;
    if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) {
        return {};
    }
    void* low = nullptr;
    std::size_t size = 0;
    ::pthread_attr_getstack(&attributes, &low, &size);
    ::pthread_attr_destroy(&attributes);
    return with_room_to_grow({static_cast<std::byte*>(low), static_cast<std::byte*>(low) + size});
}

std::size_t stack_limit() noexcept {
    std::size_t limit = soft_limit(RLIMIT_STACK);
    return limit != no_limit ? limit : 0;
}

std::size_t room(Commit commit) noexcept {
    return std::min({address_space_left(), data_left(), promises_left(commit)});
}

Obstacle find_obstacle(std::size_t bytes, Commit commit) noexcept {
    if (bytes > address_space_left()) {
        return Obstacle::address_space;
    }
    if (bytes > data_left()) {
        return Obstacle::data;
    }
    std::size_t locked = number_in(status, "\nVmLck:") * kibibyte;
    if (locked > 0 && bytes > left_of(soft_limit(RLIMIT_MEMLOCK), locked)) {
        return Obstacle::locked;
    }
    if (bytes > promises_left(commit)) {
        return Obstacle::promises;
    }
    // A guard takes two mappings, and there must be room for whatever else is mapped now.
    constexpr std::size_t spare_mappings = 16;
    std::size_t most = number_in("/proc/sys/vm/max_map_count");
    return most != 0 && lines_in("/proc/self/maps") + spare_mappings > most ? Obstacle::mappings : Obstacle::memory;
}

bool find_resident(std::byte* begin, std::size_t bytes, unsigned char* pages) noexcept {
    if (::mincore(begin, bytes, pages) != 0) {
        return false;
    }
    std::for_each(pages, pages + bytes / page_size(), [](unsigned char& page) { page &= 1; });
    return true;
}

void discard(std::byte* begin, std::size_t bytes) noexcept { ::madvise(begin, bytes, MADV_DONTNEED); }

}  // namespace stackful::system
