#include "core/settings.hpp"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <system_error>

#include "interpreter/versions/cpython.hpp"
#include "stackful/layout.hpp"
#include "stackful/limits.hpp"
#include "stackful/system/signals.hpp"

namespace core {

namespace {

constexpr const char* stack_size_variable = "GREENLET_STACK_SIZE";
constexpr const char* report_variable = "GREENLET_REPORT_STACK_OVERFLOW";
constexpr const char* dump_variable = "GREENLET_DUMP_ON_SIGNAL";

// The text of an environment variable. nullptr if it is not set or empty.
const char* variable(const char* name) noexcept {
    const char* text = std::getenv(name);
    return text != nullptr && *text != '\0' ? text : nullptr;
}

// Not strtoull(): with the headers of a recent glibc, a program that calls it needs that glibc (`__isoc23_strtoull`).
template <class Number>
std::from_chars_result read_number(const char* text, Number& number, int base) noexcept {
    return std::from_chars(text, text + std::strlen(text), number, base);
}

// How many bits a suffix shifts a number of bytes by: k, M or G, in either case.
std::optional<int> shift_of(const char* suffix) noexcept {
    if (*suffix == '\0') {
        return 0;
    }
    const char* units = "KMG";
    const char* unit = std::find(units, units + 3, std::toupper(static_cast<unsigned char>(*suffix)));
    return *unit != '\0' && suffix[1] == '\0' ? std::optional<int>(10 * (unit - units + 1)) : std::nullopt;
}

// A size in bytes within the limits: 8388608, 0x800000, 8192k, 8M.
std::optional<std::size_t> parse_size(const char* text) noexcept {
    if (!std::isdigit(static_cast<unsigned char>(*text))) {
        return std::nullopt;
    }
    bool is_hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    unsigned long long number = 0;
    auto [end, error] = read_number(is_hexadecimal ? text + 2 : text, number, is_hexadecimal ? 16 : 10);
    std::optional<int> shift = shift_of(end);
    if (error != std::errc() || !shift || number > (stackful::maximum_stack_size >> *shift)) {
        return std::nullopt;
    }
    number <<= *shift;
    return number >= stackful::minimum_stack_size ? std::optional<std::size_t>(number) : std::nullopt;
}

char lower(char letter) noexcept { return static_cast<char>(std::tolower(static_cast<unsigned char>(letter))); }

bool is_same_word(std::string_view text, std::string_view word) noexcept {
    return std::equal(text.begin(), text.end(), word.begin(), word.end(),
                      [](char one, char other) { return lower(one) == lower(other); });
}

std::optional<bool> parse_switch(const char* text) noexcept {
    for (const char* word : {"1", "yes", "true", "on"}) {
        if (is_same_word(text, word)) {
            return true;
        }
    }
    for (const char* word : {"0", "no", "false", "off"}) {
        if (is_same_word(text, word)) {
            return false;
        }
    }
    return std::nullopt;
}

// A signal by its number, or by its name with or without SIG.
std::optional<int> parse_signal(const char* text) noexcept {
    if (std::isdigit(static_cast<unsigned char>(*text))) {
        int number = 0;
        auto [end, error] = read_number(text, number, 10);
        bool is_one = error == std::errc() && *end == '\0' && stackful::system::may_be_handled(number);
        return is_one ? std::optional<int>(number) : std::nullopt;
    }
    std::string_view name(text);
    if (name.size() > 3 && is_same_word(std::string_view(text, 3), "SIG")) {
        name.remove_prefix(3);
    }
    for (const stackful::system::NamedSignal& signal : stackful::system::signals()) {
        if (is_same_word(name, signal.name)) {
            return signal.number;
        }
    }
    return std::nullopt;
}

std::size_t first_stack_size() noexcept {
    const char* text = variable(stack_size_variable);
    std::optional<std::size_t> size = text != nullptr ? parse_size(text) : std::nullopt;
    return size ? *size : stackful::default_stack_size();
}

constexpr std::size_t signal_stacks_wanted = ~(~std::size_t{0} >> 1);
static_assert(stackful::maximum_stack_size < signal_stacks_wanted);

void change_settings(std::size_t kept, std::size_t added) noexcept {
    std::size_t before = stack_settings();
    while (!settings.compare_exchange_weak(before, (before & kept) | added, std::memory_order_relaxed)) {}
}

}  // namespace

std::size_t find_settings() noexcept {
    std::size_t unknown = 0;
    settings.compare_exchange_strong(unknown, first_stack_size(), std::memory_order_relaxed);
    return settings.load(std::memory_order_relaxed);
}

std::size_t stack_size() noexcept { return stack_settings() & ~signal_stacks_wanted; }

void set_stack_size(std::size_t bytes) noexcept { change_settings(signal_stacks_wanted, bytes); }

bool wants_signal_stacks() noexcept { return (stack_settings() & signal_stacks_wanted) != 0; }

void set_signal_stacks(bool wanted) noexcept {
    change_settings(~signal_stacks_wanted, wanted ? signal_stacks_wanted : 0);
}

std::array<Variable, 3> environment() noexcept {
    const char* size = variable(stack_size_variable);
    const char* report = variable(report_variable);
    const char* dump = variable(dump_variable);
    return {{{stack_size_variable, size, size != nullptr && parse_size(size)},
             {report_variable, report, report != nullptr && parse_switch(report)},
             {dump_variable, dump, dump != nullptr && parse_signal(dump)}}};
}

int environment_dump_signal() noexcept {
    const char* text = variable(dump_variable);
    return text != nullptr ? parse_signal(text).value_or(0) : 0;
}

bool environment_wants_overflow_reports() noexcept {
    const char* text = variable(report_variable);
    return text != nullptr && parse_switch(text).value_or(false);
}

bool warn_of_environment() noexcept {
    static std::atomic<int> warned{0};  // not every processor can exchange a byte
    if (warned.exchange(1)) {
        return true;
    }
    const char* size = variable(stack_size_variable);
    if (size != nullptr && !parse_size(size) &&
        PyErr_WarnFormat(
            PyExc_RuntimeWarning, 1,
            "%s='%s' is ignored: it has to be a number of bytes from %zu to %zu, such as 8388608, 0x800000, "
            "8192k or 8M; stacks have %zu bytes",
            stack_size_variable, size, stackful::minimum_stack_size, stackful::maximum_stack_size, stack_size()) < 0) {
        return false;
    }
    const char* report = variable(report_variable);
    if (report != nullptr && !parse_switch(report) &&
        PyErr_WarnFormat(PyExc_RuntimeWarning, 1,
                         "%s='%s' is ignored: it has to be 1, yes, true or on; or 0, no, false or off", report_variable,
                         report) < 0) {
        return false;
    }
    const char* dump = variable(dump_variable);
    return dump == nullptr || parse_signal(dump) ||
           PyErr_WarnFormat(PyExc_RuntimeWarning, 1,
                            "%s='%s' is ignored: it has to be a signal's name or number, such as USR1, SIGUSR1 or 10, "
                            "and not of one that ends the process",
                            dump_variable, dump) == 0;
}

}  // namespace core
