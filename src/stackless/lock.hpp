// The lock of this layer.

#pragma once

#include "interpreter/threading/lock.hpp"

namespace stackless {

// Guards what several threads may use of tasklets, channels and schedulers. With a GIL it is empty. References are
// dropped after it is released, because that may run any code.
inline interpreter::Lock tasklets_lock;

}  // namespace stackless
