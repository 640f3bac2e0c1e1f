#include "stackful/limits.hpp"

#include <algorithm>

#include "stackful/layout.hpp"

namespace stackful {

namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;
constexpr std::size_t without_limit = 8 * mebibyte;
constexpr std::size_t least_default = mebibyte;
constexpr std::size_t most_default = 64 * mebibyte;
constexpr std::size_t least_where_scarce = mebibyte / 4;
constexpr std::size_t slots_to_fit = 2000;

}  // namespace

std::size_t choose_stack_size(std::size_t limit, std::size_t room, std::size_t page_size) noexcept {
    if constexpr (addresses_are_scarce) {
        return SlotLayout::for_stack(SlotLayout::scarce_stack, page_size).stack_bytes;
    }
    std::size_t size = std::clamp(limit != 0 ? limit : without_limit, least_default, most_default);
    while (size > least_where_scarce && SlotLayout::for_stack(size, page_size).size > room / 2 / slots_to_fit) {
        size = std::max(size / 2, least_where_scarce);
    }
    return SlotLayout::for_stack(size, page_size).stack_bytes;
}

std::size_t default_stack_size() noexcept {
    return choose_stack_size(system::stack_limit(), system::room(system::preferred_commit()), system::page_size());
}

}  // namespace stackful
