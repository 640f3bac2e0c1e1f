// What bsd.cpp asks of each of its systems.

#pragma once

#include <cstddef>

namespace stackful::system {

// In place of the file of a mapping that has none.
int no_file() noexcept;

// What is left of the process's limit of address space.
std::size_t address_space_left() noexcept;

}  // namespace stackful::system
