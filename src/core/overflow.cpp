#include "core/overflow.hpp"

#include <cstdint>

#include "core/greenlet.hpp"
#include "core/settings.hpp"
#include "core/thread.hpp"
#include "stackful/first_use.hpp"
#include "stackful/overflow.hpp"

namespace core {

namespace {

// A line of text for a signal handler, which must not call most of the C library. It is cut off if it is too long.
class Line {
public:
    void add(const char* text) noexcept {
        while (*text != '\0' && length_ < sizeof text_) {
            text_[length_++] = *text++;
        }
    }

    void add_number(std::uintptr_t number, unsigned base) noexcept {
        char digits[24];
        char* first = digits + sizeof digits - 1;
        *first = '\0';
        do {
            *--first = "0123456789abcdef"[number % base];
            number /= base;
        } while (number != 0);
        add(first);
    }

    void write() const noexcept { stackful::system::write_error(text_, length_); }

private:
    char text_[400];
    std::size_t length_ = 0;
};

// Reports the greenlet in the words of repr(). It is alive, because it runs.
void report(const stackful::Slot& slot) noexcept {
    const PyGreenlet* g = activation_on(slot).greenlet;
    Line line;
    line.add("Fatal error: the C stack of <");
    line.add(Py_TYPE(g)->tp_name);
    line.add(" object at 0x");
    line.add_number(reinterpret_cast<std::uintptr_t>(g), 16);
    line.add("> overflowed. Its size is ");
    line.add_number(slot.layout->stack_bytes, 10);
    line.add(" bytes: greenlet.stack_size() sets that of new ones.\n");
    line.write();
}

}  // namespace

bool report_stack_overflow(bool enable) noexcept {
    if (enable && !stackful::ensure_signal_stack()) {
        PyErr_NoMemory();
        return false;
    }
    if (!stackful::report_overflows(enable ? report : nullptr)) {
        PyErr_SetFromErrno(PyExc_OSError);
        return false;
    }
    set_signal_stacks(enable);
    return true;
}

bool reports_stack_overflow() noexcept { return wants_signal_stacks(); }

void report_stack_overflow_from_environment() noexcept {
    static constinit stackful::FirstUse<bool> once;
    once.value([]() noexcept {
        if (environment_wants_overflow_reports() && !report_stack_overflow(true)) {
            PyErr_Clear();
        }
        return true;
    });
}

}  // namespace core
