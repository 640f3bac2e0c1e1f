#include "stackful/system/signals.hpp"

#include <csignal>

namespace stackful::system {

std::span<const NamedSignal> signals() noexcept { return {}; }
bool has_default_action(int signal) noexcept { return std::signal(signal, SIG_GET) == SIG_DFL; }
bool may_be_handled(int) noexcept { return false; }

}  // namespace stackful::system
