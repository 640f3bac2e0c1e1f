// The calls of C functions in progress.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace inspect::system {

// Finds the return addresses on the running stack, innermost first. Returns how many.
std::size_t collect_calls(std::span<std::uintptr_t> addresses) noexcept;

// What an address lies in. The texts stay valid while the file is loaded, except on Windows: until the next call.
struct Place {
    const char* function = nullptr;  // if it is known
    const char* file = nullptr;      // if it is known
    std::uintptr_t base = 0;         // of the function, else of the file
};

// Called with the GIL.
Place place_of(std::uintptr_t address) noexcept;

}  // namespace inspect::system
