// The operating-system interface on Windows.
//
// Memory is reserved, and then made accessible ("committed"), which counts against what the system can provide. So a
// stack is committed as it grows: Windows does that itself for the stack that the thread's information block describes
// (arch/x86_64_windows.S). When the mark has come to the lowest page but one, the next access is a stack overflow.

#include "stackful/system/windows_header.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "stackful/first_use.hpp"
#include "stackful/system/system.hpp"

namespace stackful::system {
namespace {

// Where the memory begins that VirtualAlloc() reserved as a whole. nullptr if nothing is reserved there.
std::byte* reservation_of(const std::byte* address) noexcept {
    MEMORY_BASIC_INFORMATION memory{};
    bool is_known = ::VirtualQuery(address, &memory, sizeof memory) != 0 && memory.State != MEM_FREE;
    return is_known ? static_cast<std::byte*>(memory.AllocationBase) : nullptr;
}

bool commit(std::byte* begin, std::byte* end) noexcept {
    return ::VirtualAlloc(begin, static_cast<std::size_t>(end - begin), MEM_COMMIT, PAGE_READWRITE) != nullptr;
}

void decommit(std::byte* begin, std::byte* end) noexcept {
    if (begin < end) {
        ::VirtualFree(begin, static_cast<std::size_t>(end - begin), MEM_DECOMMIT);
    }
}

// Marks a committed page as the one at which a stack is extended.
bool mark(std::byte* page) noexcept {
    DWORD before;
    return ::VirtualProtect(page, page_size(), PAGE_READWRITE | PAGE_GUARD, &before) != 0;
}

bool find_resident_of_committed(std::byte* begin, std::size_t count, unsigned char* pages) noexcept {
    PSAPI_WORKING_SET_EX_INFORMATION part[64];
    for (std::size_t first = 0; first < count; first += std::size(part)) {
        std::size_t number = std::min(std::size(part), count - first);
        for (std::size_t i = 0; i < number; ++i) {
            part[i].VirtualAddress = begin + (first + i) * page_size();
        }
        if (!::K32QueryWorkingSetEx(::GetCurrentProcess(), part, static_cast<DWORD>(number * sizeof part[0]))) {
            return false;
        }
        for (std::size_t i = 0; i < number; ++i) {
            pages[first + i] = part[i].VirtualAttributes.Valid;
        }
    }
    return true;
}

// The StackBase of a thread's own stack.
ThreadValue& own_bases() noexcept {
    static constinit FirstUse<ThreadValue> first_use;
    return first_use.value([]() noexcept { return ThreadValue(nullptr); });
}

}  // namespace

std::size_t page_size() noexcept {
    static constinit FirstUse<std::size_t> size;
    return size.value([]() noexcept {
        SYSTEM_INFO info;
        ::GetSystemInfo(&info);
        return static_cast<std::size_t>(info.dwPageSize);
    });
}

Commit preferred_commit() noexcept { return Commit::when_needed; }

Guard preferred_guard() noexcept { return Guard::mapped; }

std::byte* reserve(std::size_t bytes, std::size_t alignment, std::size_t offset, Commit commit) noexcept {
    // A part of a reservation can't be given back, so what is left over stays reserved.
    auto* reserved = static_cast<std::byte*>(
        ::VirtualAlloc(nullptr, bytes + alignment - page_size(), MEM_RESERVE, PAGE_READWRITE));
    if (reserved == nullptr) {
        return nullptr;
    }
    auto misaligned = static_cast<std::size_t>(-(reinterpret_cast<std::uintptr_t>(reserved) + offset)) % alignment;
    std::byte* begin = reserved + misaligned;
    if (commit == Commit::at_once && !make_accessible(begin, bytes)) {
        unreserve(begin, bytes);
        return nullptr;
    }
    return begin;
}

bool unreserve(std::byte* begin, std::size_t) noexcept {
    std::byte* reserved = reservation_of(begin);
    return reserved != nullptr && ::VirtualFree(reserved, 0, MEM_RELEASE) != 0;
}

bool make_accessible(std::byte* begin, std::size_t bytes) noexcept { return commit(begin, begin + bytes); }

bool begin_stack(std::byte* low, std::byte* limit, std::byte* end, Extent& extent) noexcept {
    std::byte* marked = limit - page_size();
    bool is_extended = marked > low;
    std::byte* begin = is_extended ? marked : low;
    if (!commit(begin, end)) {
        return false;
    }
    if (is_extended && !mark(marked)) {
        decommit(begin, end);
        return false;
    }
    extent.limit = is_extended ? limit : low;
    return true;
}

// No page is committed for this, so it can't fail for lack of memory.
void shorten_stack(std::byte* low, std::byte* limit, Extent& extent) noexcept {
    std::byte* marked = limit - page_size();
    if (marked <= low || extent.limit == limit || !mark(marked)) {
        return;
    }
    decommit(extent.limit != nullptr ? std::max(extent.limit - page_size(), low) : low, marked);
    extent.limit = limit;
}

void withdraw(std::byte* begin, std::byte* end) noexcept { decommit(begin, end); }

bool install_guard(std::byte* begin, std::size_t bytes, Guard) noexcept {
    DWORD before;
    return ::VirtualProtect(begin, bytes, PAGE_NOACCESS, &before) != 0;
}

void note_thread_stack() noexcept {
    ThreadValue& bases = own_bases();
    if (bases.get() == nullptr) {
        ULONG_PTR low;
        ULONG_PTR base;
        ::GetCurrentThreadStackLimits(&low, &base);
        bases.set(reinterpret_cast<void*>(base));
    }
}

Bounds thread_stack() noexcept {
    note_thread_stack();
    auto* base = static_cast<std::byte*>(own_bases().get());
    return base != nullptr ? Bounds{reservation_of(base - 1), base} : Bounds{};
}

// The main thread's, and that of the others unless they ask for another size: the executable says it.
std::size_t stack_limit() noexcept {
    auto* begin = reinterpret_cast<const std::byte*>(::GetModuleHandleW(nullptr));
    auto* header = reinterpret_cast<const IMAGE_DOS_HEADER*>(begin);
    if (begin == nullptr || header->e_magic != IMAGE_DOS_SIGNATURE) {
        return 0;
    }
    return reinterpret_cast<const IMAGE_NT_HEADERS64*>(begin + header->e_lfanew)->OptionalHeader.SizeOfStackReserve;
}

std::size_t room(Commit) noexcept {
    MEMORYSTATUSEX status{};
    status.dwLength = sizeof status;
    return ::GlobalMemoryStatusEx(&status) != 0 ? static_cast<std::size_t>(status.ullAvailVirtual) : ~std::size_t{0};
}

Obstacle find_obstacle(std::size_t, Commit) noexcept { return Obstacle::memory; }

bool find_resident(std::byte* begin, std::size_t bytes, unsigned char* pages) noexcept {
    std::byte* end = begin + bytes;
    while (begin < end) {
        // Most of a stack is not committed. Windows is asked about such a range once, and not about each page.
        MEMORY_BASIC_INFORMATION memory{};
        if (::VirtualQuery(begin, &memory, sizeof memory) == 0) {
            return false;
        }
        std::byte* next = std::min(static_cast<std::byte*>(memory.BaseAddress) + memory.RegionSize, end);
        std::size_t count = static_cast<std::size_t>(next - begin) / page_size();
        if (memory.State != MEM_COMMIT) {
            std::memset(pages, 0, count);
        }
        else if (!find_resident_of_committed(begin, count, pages)) {
            return false;
        }
        pages += count;
        begin = next;
    }
    return true;
}

void write_error(const char* text, std::size_t bytes) noexcept {
    DWORD written;
    ::WriteFile(::GetStdHandle(STD_ERROR_HANDLE), text, static_cast<DWORD>(bytes), &written, nullptr);
}

// Memory that is given back with MEM_DECOMMIT may not be had again. So it is filled with zeros and then declared to be
// of no interest: Windows drops it, or keeps the zeros.
void discard(std::byte* begin, std::size_t bytes) noexcept {
    if (bytes == 0) {
        return;
    }
    std::memset(begin, 0, bytes);
    ::VirtualAlloc(begin, bytes, MEM_RESET, PAGE_READWRITE);
    ::VirtualUnlock(begin, bytes);  // of memory that is not locked: takes it from the working set
}

namespace {

// For an exception that no frame of a stack has handled: the handler that SetUnhandledExceptionFilter() has set, and
// then the end of the process.
extern "C" [[gnu::used]] EXCEPTION_DISPOSITION stackful_unhandled(EXCEPTION_RECORD* record, void*, CONTEXT* context,
                                                                  void*) {
    if ((record->ExceptionFlags & EXCEPTION_UNWIND) != 0) {
        return ExceptionContinueSearch;
    }
    EXCEPTION_POINTERS exception{record, context};
    switch (::UnhandledExceptionFilter(&exception)) {
        case EXCEPTION_CONTINUE_EXECUTION:
            return ExceptionContinueExecution;
        case EXCEPTION_EXECUTE_HANDLER:
            ::TerminateProcess(::GetCurrentProcess(), record->ExceptionCode);
            break;
        default:
            break;
    }
    return ExceptionContinueSearch;
}

}  // namespace

}  // namespace stackful::system
