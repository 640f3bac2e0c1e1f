#include <signal.h>

#include <algorithm>
#include <iterator>

#include "stackful/system/signals.hpp"

namespace stackful::system {

namespace {

struct NamedSignal {
    std::string_view name;
    int number;
};

constexpr NamedSignal signals[] = {
    {"HUP", SIGHUP},   {"INT", SIGINT},     {"QUIT", SIGQUIT}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2},
    {"ALRM", SIGALRM}, {"TERM", SIGTERM},   {"CONT", SIGCONT}, {"TSTP", SIGTSTP}, {"TTIN", SIGTTIN},
    {"TTOU", SIGTTOU}, {"URG", SIGURG},     {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ}, {"VTALRM", SIGVTALRM},
    {"PROF", SIGPROF}, {"WINCH", SIGWINCH}, {"IO", SIGIO},
#ifdef SIGPWR
    {"PWR", SIGPWR},
#endif
#ifdef SIGINFO
    {"INFO", SIGINFO},
#endif
};

}  // namespace

bool has_signals() noexcept { return true; }

int signal_named(std::string_view name) noexcept {
    auto* found = std::find_if(std::begin(signals), std::end(signals),
                               [name](const NamedSignal& signal) { return signal.name == name; });
    return found != std::end(signals) ? found->number : 0;
}

bool may_be_handled(int signal) noexcept {
    constexpr int refused[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGKILL, SIGSTOP};
    return signal > 0 && signal < NSIG &&
           std::find(std::begin(refused), std::end(refused), signal) == std::end(refused);
}

}  // namespace stackful::system
