#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>

#include "core/settings.hpp"
#include "inspect/output.hpp"
#include "inspect/signal_dump.hpp"
#include "inspect/text_dump.hpp"
#include "interpreter/versions/cpython.hpp"
#include "stackful/first_use.hpp"
#include "stackful/mutex.hpp"
#include "stackful/overflow.hpp"

namespace inspect {

namespace {

struct Registration {
    std::atomic<bool> is_set;
    // A signal has arrived, and its dump has not begun. An int, because not every processor can exchange a byte.
    std::atomic<int> is_wanted;
    bool chains;
    int file;
    struct sigaction previous;
};

Registration registrations[NSIG];
constinit stackful::Mutex registering;

// The thread that writes dumps, by its process and its number. It writes those for the signals that arrive meanwhile,
// in any thread.
std::atomic<std::uint64_t> writer{0};

std::uint64_t this_thread() noexcept {
    return static_cast<std::uint64_t>(::getpid()) << 32 | static_cast<std::uint32_t>(PyThread_get_thread_native_id());
}

// True if the running thread may write. A process that was forked in the middle of a dump has no thread that ends it.
bool begin_writing() noexcept {
    std::uint64_t none = 0;
    std::uint64_t me = this_thread();
    if (writer.compare_exchange_strong(none, me)) {
        return true;
    }
    bool is_of_parent = none >> 32 != me >> 32;
    return is_of_parent && writer.compare_exchange_strong(none, me);
}

bool is_any_wanted() noexcept {
    for (const Registration& registration : registrations) {
        if (registration.is_wanted.load()) {
            return true;
        }
    }
    return false;
}

void write_wanted() noexcept {
    while (is_any_wanted() && begin_writing()) {
        for (int signal = 1; signal < NSIG; ++signal) {
            if (registrations[signal].is_wanted.exchange(0)) {
                write_text_dump(registrations[signal].file, signal);
            }
        }
        writer.store(0);
    }
}

void call_previous(int signal, siginfo_t* info, void* context) noexcept {
    const struct sigaction& previous = registrations[signal].previous;
    if ((previous.sa_flags & SA_SIGINFO) != 0) {
        previous.sa_sigaction(signal, info, context);
    }
    else if (previous.sa_handler == SIG_DFL) {
        struct sigaction ours;
        ::sigaction(signal, &previous, &ours);
        sigset_t only;
        sigemptyset(&only);
        sigaddset(&only, signal);
        ::raise(signal);
        ::pthread_sigmask(SIG_UNBLOCK, &only, nullptr);  // here it takes effect
        ::pthread_sigmask(SIG_BLOCK, &only, nullptr);
        ::sigaction(signal, &ours, nullptr);
    }
    else if (previous.sa_handler != SIG_IGN) {
        previous.sa_handler(signal);
    }
}

void on_signal(int signal, siginfo_t* info, void* context) noexcept {
    int saved_errno = errno;
    Registration& registration = registrations[signal];
    if (registration.is_set.load()) {
        registration.is_wanted.store(1);
        write_wanted();
        if (registration.chains) {
            errno = saved_errno;
            call_previous(signal, info, context);
        }
    }
    errno = saved_errno;
}

}  // namespace

bool dump_on_signal(int signal, int file, bool chains) noexcept {
    std::lock_guard lock(registering);
    stackful::ensure_signal_stack();  // without one, the handler runs on the stack of the greenlet
    Registration& registration = registrations[signal];
    registration.file = file;
    registration.chains = chains;
    if (registration.is_set) {
        return true;
    }
    struct sigaction ours{};
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    ours.sa_sigaction = on_signal;
    sigemptyset(&ours.sa_mask);
    // The handler may run before sigaction() returns.
    if (::sigaction(signal, nullptr, &registration.previous) != 0) {
        return false;
    }
    registration.is_set = true;
    if (::sigaction(signal, &ours, nullptr) != 0) {
        registration.is_set = false;
        return false;
    }
    return true;
}

bool stop_dumping_on_signal(int signal) noexcept {
    std::lock_guard lock(registering);
    Registration& registration = registrations[signal];
    if (!registration.is_set) {
        return false;
    }
    struct sigaction now;
    bool is_ours = ::sigaction(signal, nullptr, &now) == 0 && (now.sa_flags & SA_SIGINFO) != 0 &&
                   now.sa_sigaction == on_signal;
    if (is_ours) {
        ::sigaction(signal, &registration.previous, nullptr);
    }
    registration.is_set = false;
    registration.is_wanted = 0;
    return true;
}

void dump_on_signal_from_environment() noexcept {
    static constinit stackful::FirstUse<bool> once;
    once.value([]() noexcept {
        int signal = core::environment_dump_signal();
        return signal != 0 && dump_on_signal(signal, STDERR_FILENO, false);
    });
}

}  // namespace inspect
