// For the implementations on POSIX systems: what they share besides posix.cpp.

#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <cstddef>
#include <limits>

namespace stackful::system {

inline constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

template <class Resource>  // an enumeration of the C library's, or int
std::size_t soft_limit(Resource resource) noexcept {
    rlimit limit{};
    bool is_limited = ::getrlimit(resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    return is_limited ? std::min<std::size_t>(static_cast<std::size_t>(limit.rlim_cur), no_limit) : no_limit;
}

// What is left of a limit.
inline std::size_t left_of(std::size_t limit, std::size_t used) noexcept {
    return limit == no_limit ? no_limit : limit - std::min(limit, used);
}

// How much has to be mapped for a range of so many bytes that is aligned.
std::size_t bytes_to_align(std::size_t bytes, std::size_t alignment) noexcept;

// Finds in a mapping of that size the begin of a range, as reserve() has to return it, and unmaps the rest. If that
// fails, for lack of mappings, the rest is lost.
std::byte* cut_to_align(std::byte* mapped, std::size_t bytes, std::size_t alignment, std::size_t offset) noexcept;

}  // namespace stackful::system
