#include "stackful/system/signals.hpp"

namespace stackful::system {

bool has_signals() noexcept { return false; }
int signal_named(std::string_view) noexcept { return 0; }
bool may_be_handled(int) noexcept { return false; }

}  // namespace stackful::system
