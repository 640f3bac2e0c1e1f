// The name of a file in /proc, made without the C library, for signal handlers.

#pragma once

#include <cstddef>

namespace inspect {

class Path {
public:
    // Texts and numbers, one after the other.
    template <class... Parts>
    explicit Path(Parts... parts) noexcept {
        (add(parts), ...);
        text_[length_] = '\0';
    }

    const char* text() const noexcept { return text_; }

private:
    void add(const char* part) noexcept {
        while (*part != '\0' && length_ + 1 < sizeof text_) {
            text_[length_++] = *part++;
        }
    }

    void add(unsigned long number) noexcept {
        char digits[24];
        char* first = digits + sizeof digits - 1;
        *first = '\0';
        do {
            *--first = static_cast<char>('0' + number % 10);
            number /= 10;
        } while (number != 0);
        add(first);
    }
    void add(int number) noexcept { add(static_cast<unsigned long>(number)); }

    char text_[80];
    std::size_t length_ = 0;
};

}  // namespace inspect
