// What is said when there is no room for another stack.

#pragma once

#include <cstddef>

namespace core {

// Raises a MemoryError that tells how many greenlets are active, which limit stands in the way and what to set. `slot_bytes`:
// what was wanted.
void raise_no_room(std::size_t slot_bytes) noexcept;

}  // namespace core
