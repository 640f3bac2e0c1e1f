// The default size of stacks.

#pragma once

#include <cstddef>

#include "stackful/system/system.hpp"

namespace stackful {

// The size that a thread's stack would have, so that what runs in a thread runs here: the process's soft limit, 8 MiB
// if there is none, brought within 1 and 64 MiB. Where address space or memory is limited, it is halved, down to 256
// KiB, until 2,000 slots fit into half of what is left. To be called once, because what is left changes.
//
// Where addresses have 32 bits it is 128 KiB, so that 20,000 slots fit into the 3 GiB that a process has.
std::size_t default_stack_size() noexcept;

// The rule itself, for tests. `limit` is the soft limit, or 0 if there is none. `room` is what is left.
std::size_t choose_stack_size(std::size_t limit, std::size_t room, std::size_t page_size) noexcept;

}  // namespace stackful
