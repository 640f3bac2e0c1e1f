#include "inspect/memory.hpp"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "inspect/path.hpp"

namespace inspect {

namespace {

std::size_t count_of(ssize_t result) noexcept { return result > 0 ? static_cast<std::size_t>(result) : 0; }

}  // namespace

Memory::~Memory() {
    if (file_ >= 0) {
        ::close(file_);
    }
}

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
    return process_ != 0 ? read_process(from, to, bytes) : read_segment(from, to, bytes);
}

std::size_t Memory::read_process(Address from, void* to, std::size_t bytes) noexcept {
    if (!needs_file_) {
        iovec local{to, bytes};
        iovec remote{reinterpret_cast<void*>(from), bytes};
        ssize_t copied = ::process_vm_readv(process_, &local, 1, &remote, 1, 0);
        if (copied > 0 || errno == EFAULT) {
            return count_of(copied);
        }
        needs_file_ = true;
        file_ = ::open(Path("/proc/", process_, "/mem").text(), O_RDONLY | O_CLOEXEC);
    }
    return file_ >= 0 ? count_of(::pread(file_, to, bytes, static_cast<off_t>(from))) : 0;
}

std::size_t Memory::read_segment(Address from, void* to, std::size_t bytes) const noexcept {
    const Segment* after = std::upper_bound(segments_, segments_ + count_, from,
                                            [](Address address, const Segment& s) { return address < s.begin; });
    if (after == segments_ || from >= after[-1].end) {
        return 0;
    }
    const Segment& segment = after[-1];
    std::size_t wanted = std::min<std::size_t>(bytes, segment.end - from);
    return count_of(::pread(segment.file, to, wanted, segment.offset + static_cast<off_t>(from - segment.begin)));
}

}  // namespace inspect
