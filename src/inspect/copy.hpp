// A structure copied from a memory, whose fields are at places that a table names.

#pragma once

#include <cstddef>
#include <cstring>

#include "inspect/memory.hpp"

namespace inspect {

template <std::size_t most>
class Copy {
public:
    // False if the memory does not have it.
    bool read(Memory& memory, Address from, std::size_t size) noexcept {
        size_ = from % alignof(void*) == 0 && size <= most && memory.read(from, bytes_, size) ? size : 0;
        return size_ != 0;
    }

    // The field at a place; 0 if the structure was not read.
    template <class T = Address>
    T at(std::size_t offset) const noexcept {
        T value{};
        if (offset + sizeof value <= size_) {
            std::memcpy(&value, bytes_ + offset, sizeof value);
        }
        return value;
    }

private:
    std::byte bytes_[most];
    std::size_t size_ = 0;
};

using ThreadCopy = Copy<4096>;
using ActivationCopy = Copy<1024>;
using GreenletCopy = Copy<512>;

}  // namespace inspect
