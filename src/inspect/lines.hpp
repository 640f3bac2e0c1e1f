// The line of source that an instruction comes from, by the table of locations of a code object (PEP 626).

#pragma once

#include <cstddef>

#include "inspect/memory.hpp"

namespace inspect {

// The line for the instruction at `offset` bytes. `table` is the address of the bytes object of the table. 0 if the
// instruction has no line, -1 if the memory does not have the table.
int line_at(Memory& memory, Address table, int first_line, std::ptrdiff_t offset) noexcept;

}  // namespace inspect
