// Python objects in copied memory: the texts of strings, the names of types and of callables.

#pragma once

#include <cstddef>
#include <string_view>

#include "inspect/memory.hpp"
#include "inspect/offsets.hpp"

namespace inspect {

// Texts in UTF-8, until they are cleared all at once. What has no room is left out.
class Texts {
public:
    void clear() noexcept { used_ = 0; }
    // What is added after mark() is removed by cut().
    std::size_t mark() const noexcept { return used_; }
    void cut(std::size_t mark) noexcept { used_ = mark; }
    bool is_full() const noexcept { return used_ + longest > sizeof bytes_; }
    std::string_view add(Memory& memory, Address characters, unsigned bytes_each, std::size_t length) noexcept;
    std::string_view add_c_string(Memory& memory, Address begin) noexcept;

private:
    static constexpr std::size_t longest = 512;  // of a text, in bytes; the rest is cut off
    void encode(unsigned long character) noexcept;
    void put(unsigned long byte) noexcept { bytes_[used_++] = static_cast<char>(byte); }

    char bytes_[std::size_t{96} << 10];
    std::size_t used_ = 0;
};

// Each of these returns an empty text if the memory does not have it.

// The text of the string at `object`.
std::string_view text_of(Memory& memory, const Offsets& offsets, Address object, Texts& texts) noexcept;

// The name of the type of an object, as in repr().
std::string_view type_name_of(Memory& memory, Address object, Texts& texts) noexcept;

// The qualified name of a function, or of a method that is one; of another callable the name of its type. Nothing of
// another method, such as a compiled one of gevent's: its type tells nothing.
std::string_view callable_name_of(Memory& memory, const Offsets& offsets, Address object, Texts& texts) noexcept;

// True if the object's type is at `type`.
bool is_of_type(Memory& memory, Address object, const void* type) noexcept;

}  // namespace inspect
