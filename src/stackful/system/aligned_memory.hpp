// Memory of the C library for objects that need more than its usual alignment.

#pragma once

#include <cstddef>
#include <cstdlib>
#if defined(_WIN32)
#include <malloc.h>
#endif

namespace stackful::system {

// `bytes` is a multiple of `alignment`. nullptr if there is no memory.
inline void* allocate_aligned(std::size_t bytes, std::size_t alignment) noexcept {
#if defined(_WIN32)
    return ::_aligned_malloc(bytes, alignment);
#else
    return std::aligned_alloc(alignment, bytes);
#endif
}

inline void free_aligned(void* memory) noexcept {
#if defined(_WIN32)
    ::_aligned_free(memory);
#else
    std::free(memory);
#endif
}

}  // namespace stackful::system
