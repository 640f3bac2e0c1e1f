#include <signal.h>

#include <algorithm>
#include <iterator>

#include "stackful/system/signals.hpp"

namespace stackful::system {

namespace {

constexpr NamedSignal named_signals[] = {
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

std::span<const NamedSignal> signals() noexcept { return named_signals; }

bool has_default_action(int signal) noexcept {
    struct sigaction action;
    return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_DFL;
}

bool may_be_handled(int signal) noexcept {
    constexpr int refused[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGKILL, SIGSTOP};
    return signal > 0 && signal < NSIG &&
           std::find(std::begin(refused), std::end(refused), signal) == std::end(refused);
}

}  // namespace stackful::system
