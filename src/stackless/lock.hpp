// The lock of this layer.

#pragma once

#include "interpreter/threading/lock.hpp"

namespace stackless {

// Held to read or change what several threads may use of tasklets, channels and schedulers. With a GIL it is empty.
// References are dropped after it is released.
inline interpreter::Lock tasklets_lock;

}  // namespace stackless
