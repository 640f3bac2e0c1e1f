#include "inspect/system/files.hpp"

#include <io.h>

#include <cerrno>
#include <limits>

#include "stackful/system/windows_header.hpp"

namespace inspect::system {

namespace {

HANDLE handle_of(int descriptor) noexcept { return reinterpret_cast<HANDLE>(::_get_osfhandle(descriptor)); }

DWORD low_part(std::uint64_t number) noexcept { return static_cast<DWORD>(number); }
DWORD high_part(std::uint64_t number) noexcept { return static_cast<DWORD>(number >> 32); }

}  // namespace

std::size_t read_at(int descriptor, void* to, std::size_t bytes, std::int64_t offset) noexcept {
    OVERLAPPED place{};
    place.Offset = low_part(static_cast<std::uint64_t>(offset));
    place.OffsetHigh = high_part(static_cast<std::uint64_t>(offset));
    DWORD wanted = bytes < std::numeric_limits<DWORD>::max() ? static_cast<DWORD>(bytes) : 1U << 30;
    DWORD copied = 0;
    return ::ReadFile(handle_of(descriptor), to, wanted, &copied, &place) ? copied : 0;
}

void write_all(int descriptor, const char* text, std::size_t bytes) noexcept {
    while (bytes > 0) {
        DWORD written = 0;
        DWORD wanted = bytes < std::numeric_limits<DWORD>::max() ? static_cast<DWORD>(bytes) : 1U << 30;
        if (!::WriteFile(handle_of(descriptor), text, wanted, &written, nullptr) || written == 0) {
            return;
        }
        text += written;
        bytes -= written;
    }
}

int MappedFile::map(int descriptor, std::size_t bytes) noexcept {
    HANDLE section = ::CreateFileMappingW(handle_of(descriptor), nullptr, PAGE_READWRITE, high_part(bytes),
                                          low_part(bytes), nullptr);  // it makes the file as long
    if (section == nullptr) {
        return ::GetLastError() == ERROR_DISK_FULL ? ENOSPC : EINVAL;
    }
    void* memory = ::MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, bytes);
    ::CloseHandle(section);  // the view keeps it
    if (memory == nullptr) {
        return ENOMEM;
    }
    memory_ = memory;
    bytes_ = bytes;
    return 0;
}

void MappedFile::unmap() noexcept {
    ::UnmapViewOfFile(memory_);
    *this = MappedFile();
}

}  // namespace inspect::system
