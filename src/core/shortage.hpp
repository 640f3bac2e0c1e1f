// The exception when there is no room for another stack.

#pragma once

#include <cstddef>

namespace core {

// Raises a MemoryError that says how many greenlets are active, which limit was reached and what to set. `slot_bytes`:
// the size that was asked for.
void raise_no_room(std::size_t slot_bytes) noexcept;

}  // namespace core
