// How much memory the slots of a pool take.

#pragma once

#include <cstddef>

#include "stackful/pool.hpp"

namespace stackful {

struct Usage {
    std::size_t slots;           // that exist
    std::size_t slots_in_use;    // of these; the others are in the reserve or in a thread's cache
    std::size_t reserved_bytes;  // address space
    std::size_t resident_bytes;  // of it in memory
    std::size_t table_bytes;     // page tables of the lowest level for these, and for guards
    std::size_t deepest_bytes;   // the most C stack that a slot has in memory: about as much as was used at once
};

// Asks the system about each page, which takes about 13 microseconds for a slot of 10 MiB. Another thread that needs a
// slot from the reserve waits meanwhile.
Usage measure_usage(StackPool& pool) noexcept;

}  // namespace stackful
