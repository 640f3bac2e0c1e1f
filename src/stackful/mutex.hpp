// A mutex for std::lock_guard.

#pragma once

#include "stackful/system/threads.hpp"

namespace stackful {

using system::Mutex;

}  // namespace stackful
