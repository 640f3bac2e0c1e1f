// Text that a signal handler writes to a file: a buffer, and write(2).

#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "inspect/system/files.hpp"

namespace inspect {

class Output {
public:
    explicit Output(int file) noexcept : file_(file) {}
    Output(const Output&) = delete;
    Output& operator=(const Output&) = delete;
    ~Output() { flush(); }

    Output& operator<<(std::string_view text) noexcept {
        for (char c : text) {
            put(c);
        }
        return *this;
    }
    Output& operator<<(const char* text) noexcept { return *this << std::string_view(text); }
    Output& operator<<(std::integral auto number) noexcept { return add(static_cast<std::uint64_t>(number), 10, 1); }
    Output& hexadecimal(std::uintptr_t number, int least_digits = 1) noexcept {
        return (*this << "0x").add(number, 16, least_digits);
    }

    // What can't be written is lost.
    void flush() noexcept {
        system::write_all(file_, text_, length_);
        length_ = 0;
    }

private:
    Output& add(std::uint64_t number, unsigned base, int least_digits) noexcept {
        char digits[24];
        char* first = digits + sizeof digits;
        for (; number != 0 || least_digits > 0; number /= base, --least_digits) {
            *--first = "0123456789abcdef"[number % base];
        }
        return *this << std::string_view(first, static_cast<std::size_t>(digits + sizeof digits - first));
    }

    void put(char c) noexcept {
        if (length_ == sizeof text_) {
            flush();
        }
        text_[length_++] = c;
    }

    int file_;
    char text_[4096];
    std::size_t length_ = 0;
};

}  // namespace inspect
