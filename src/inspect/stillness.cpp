#include "inspect/stillness.hpp"

#include "interpreter/versions/cpython.hpp"
#include "stackful/system/threads.hpp"

namespace inspect {

Stillness::Stillness(const Memory& memory, unsigned long native_id, Buffer& buffer) noexcept
    : process_(memory.process()), native_id_(native_id), buffer_(buffer), first_(look()) {}

bool Stillness::lasts() const noexcept {
    if (!first_.is_still) {
        return false;
    }
    system::ThreadLook now = look();
    return now.is_still && now.switches == first_.switches;
}

system::ThreadLook Stillness::look() const noexcept {
    bool is_own = process_ == stackful::system::process_id() && native_id_ == PyThread_get_thread_native_id();
    if (process_ == 0 || is_own) {
        return {.is_still = true, .switches = 0};
    }
    return system::look_at_thread(process_, native_id_, buffer_.text);
}

}  // namespace inspect
