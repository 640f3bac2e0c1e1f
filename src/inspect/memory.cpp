#include "inspect/memory.hpp"

#include <algorithm>

#include "inspect/system/files.hpp"

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
    return system::read_at(segment.file, to, wanted, segment.offset + static_cast<std::int64_t>(from - segment.begin));
}

}  // namespace inspect
