// There is no signal that another process could send.

#include <cerrno>

#include "inspect/signal_dump.hpp"

namespace inspect {

bool dump_on_signal(int, int, bool) noexcept {
    errno = ENOSYS;
    return false;
}

bool stop_dumping_on_signal(int) noexcept { return false; }

void dump_on_signal_from_environment() noexcept {}

}  // namespace inspect
