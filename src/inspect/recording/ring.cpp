#include "inspect/recording/ring.hpp"

#include <cstring>

#include "stackful/system/threads.hpp"

namespace inspect::recording {

namespace {

constexpr char magic[16] = "greenlet switch";

static_assert(sizeof(RingHeader) == 104 && sizeof(RingRecord) == 32);  // _recording_ring.py relies on it

}  // namespace

std::int64_t now() noexcept { return stackful::system::monotonic_time(); }

int Ring::open(int descriptor, std::size_t size) noexcept {
    if (int error = file_.map(descriptor, size)) {
        return error;
    }
    std::size_t before = header_room + names_room;
    header_ = static_cast<RingHeader*>(file_.memory());
    records_ = reinterpret_cast<RingRecord*>(bytes() + before);
    next_ = 0;
    capacity_ = (size - before) / sizeof(RingRecord);
    *header_ = {.magic = {},
                .version = ring_version,
                .record_bytes = sizeof(RingRecord),
                .names_begin = header_room,
                .names_bytes = 0,
                .records_begin = before,
                .capacity = capacity_,
                .written = 0,
                .switches = 0,
                .process = stackful::system::process_id(),
                .begin_time = 0,
                .begin_date = 0,
                .end_time = 0};
    std::memcpy(header_->magic, magic, sizeof magic);
    return 0;
}

void Ring::begin() noexcept {
    header_->begin_time = now();
    header_->begin_date = stackful::system::date();
}

void Ring::close(std::int64_t end_time) noexcept {
    if (header_ == nullptr) {
        return;
    }
    if (end_time != 0) {
        header_->end_time = end_time;
    }
    file_.unmap();
    *this = Ring();
}

bool Ring::append_name(const char* characters, std::size_t length) noexcept {
    auto prefix = static_cast<std::uint16_t>(length);
    if (header_->names_bytes + sizeof prefix + length > names_room) {
        return false;
    }
    std::byte* place = bytes() + header_room + header_->names_bytes;
    std::memcpy(place, &prefix, sizeof prefix);
    std::memcpy(place + sizeof prefix, characters, length);
    __atomic_store_n(&header_->names_bytes, header_->names_bytes + sizeof prefix + length, __ATOMIC_RELEASE);
    return true;
}

}  // namespace inspect::recording
