#include "inspect/lines.hpp"

#include <algorithm>

#include "interpreter/versions/cpython.hpp"

namespace inspect {

namespace {

// The bytes of a table, copied piece by piece.
class Bytes {
public:
    Bytes(Memory& memory, Address object) noexcept : memory_(memory) {
        Py_ssize_t size = 0;
        has_failed_ = !memory.read(object + offsetof(PyVarObject, ob_size), size) || size < 0 || size > most;
        next_ = object + offsetof(PyBytesObject, ob_sval);
        left_ = has_failed_ ? 0 : static_cast<std::size_t>(size);
    }

    bool is_at_end() const noexcept { return has_failed_ || (place_ == filled_ && left_ == 0); }
    bool has_failed() const noexcept { return has_failed_; }

    // The next byte; 0 at the end.
    unsigned take() noexcept {
        if (place_ == filled_ && !fill()) {
            return 0;
        }
        return buffer_[place_++];
    }

    unsigned peek() noexcept { return place_ != filled_ || fill() ? buffer_[place_] : first_bit; }

    static constexpr unsigned first_bit = 0x80;  // set in the first byte of each entry

private:
    static constexpr Py_ssize_t most = Py_ssize_t{4} << 20;

    bool fill() noexcept {
        filled_ = std::min(left_, sizeof buffer_);
        place_ = 0;
        if (filled_ == 0 || !memory_.read(next_, buffer_, filled_)) {
            has_failed_ |= filled_ != 0;
            filled_ = left_ = 0;
            return false;
        }
        next_ += filled_;
        left_ -= filled_;
        return true;
    }

    Memory& memory_;
    Address next_;
    std::size_t left_;
    std::size_t place_ = 0;
    std::size_t filled_ = 0;
    bool has_failed_;
    unsigned char buffer_[256];
};

// A number of six bits a byte, the lowest first. Its lowest bit is the sign.
int take_signed(Bytes& bytes) noexcept {
    unsigned number = 0;
    unsigned byte = 0x40;
    for (unsigned shift = 0; (byte & 0x40) != 0 && shift < 30; shift += 6) {
        byte = bytes.take();
        number |= (byte & 0x3F) << shift;
    }
    int magnitude = static_cast<int>(number >> 1);
    return (number & 1) != 0 ? -magnitude : magnitude;
}

// The kinds of entries.
constexpr unsigned one_line = 10;  // on the line before, plus 0, 1 or 2
constexpr unsigned no_columns = 13;
constexpr unsigned with_columns = 14;
constexpr unsigned no_location = 15;

int line_difference(unsigned kind, Bytes& bytes) noexcept {
    if (kind == no_columns || kind == with_columns) {
        return take_signed(bytes);
    }
    return kind >= one_line && kind < no_columns ? static_cast<int>(kind - one_line) : 0;
}

}  // namespace

int line_at(Memory& memory, Address table, int first_line, std::ptrdiff_t offset) noexcept {
    if (offset < 0) {
        return first_line;
    }
    Bytes bytes(memory, table);
    int line = first_line;
    for (std::ptrdiff_t end = 0; !bytes.is_at_end();) {
        unsigned head = bytes.take();
        unsigned kind = head >> 3 & 15;
        line += line_difference(kind, bytes);
        end += static_cast<std::ptrdiff_t>(((head & 7) + 1) * sizeof(_Py_CODEUNIT));
        if (offset < end) {
            return bytes.has_failed() ? -1 : kind == no_location ? 0 : line;
        }
        while (!bytes.is_at_end() && (bytes.peek() & Bytes::first_bit) == 0) {
            bytes.take();
        }
    }
    return bytes.has_failed() ? -1 : 0;
}

}  // namespace inspect
