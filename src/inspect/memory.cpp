#include "inspect/memory.hpp"

#include <unistd.h>

#include <algorithm>

namespace inspect {

bool Memory::read(Address from, void* to, std::size_t bytes) noexcept {
    if (from + bytes < from) {
        return false;
    }
    auto* place = static_cast<std::byte*>(to);
    while (bytes > 0) {
        std::size_t copied = read_some(from, place, bytes);
        if (copied == 0) {
            return false;
        }
        from += copied;
        place += copied;
        bytes -= copied;
    }
    return true;
}

std::size_t Memory::read_some(Address from, void* to, std::size_t bytes) noexcept {
    return process_ != 0 ? of_processes_.read(process_, from, to, bytes) : read_segment(from, to, bytes);
}

std::size_t Memory::read_segment(Address from, void* to, std::size_t bytes) const noexcept {
    const Segment* after = std::upper_bound(segments_, segments_ + count_, from,
                                            [](Address address, const Segment& s) { return address < s.begin; });
    if (after == segments_ || from >= after[-1].end) {
        return 0;
    }
    const Segment& segment = after[-1];
    std::size_t wanted = std::min<std::size_t>(bytes, segment.end - from);
    ssize_t copied = ::pread(segment.file, to, wanted, segment.offset + static_cast<off_t>(from - segment.begin));
    return copied > 0 ? static_cast<std::size_t>(copied) : 0;
}

}  // namespace inspect
