// Reports of overflows by handlers of signals.

#include <signal.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <mutex>

#include "stackful/first_use.hpp"
#include "stackful/heap.hpp"
#include "stackful/mutex.hpp"
#include "stackful/overflow.hpp"
#include "stackful/pool.hpp"
#include "stackful/system/system.hpp"

namespace stackful {

namespace {

// The stack pointer of the interrupted code, and the address of the thread's last fault, even if the signal was sent by
// a program since then. That address is not known on all processors.
struct Interrupted {
    const void* stack_pointer;
    const void* last_fault;
};

Interrupted interrupted(const ucontext_t& context) noexcept {
    auto pointer = [](auto address) { return reinterpret_cast<const void*>(static_cast<std::uintptr_t>(address)); };
    auto& machine = context.uc_mcontext;
#if defined(__APPLE__) && defined(__x86_64__)
    return {pointer(machine->__ss.__rsp), pointer(machine->__es.__faultvaddr)};
#elif defined(__APPLE__) && defined(__aarch64__)
    return {pointer(__darwin_arm_thread_state64_get_sp(machine->__ss)), pointer(machine->__es.__far)};
#elif defined(__FreeBSD__) && defined(__x86_64__)
    return {pointer(machine.mc_rsp), pointer(machine.mc_addr)};
#elif defined(__FreeBSD__) && defined(__aarch64__)
    return {pointer(machine.mc_gpregs.gp_sp), nullptr};
#elif defined(__x86_64__) && defined(__LP64__)
    return {pointer(machine.gregs[REG_RSP]), pointer(machine.gregs[REG_CR2])};
#elif defined(__i386__)
    return {pointer(machine.gregs[REG_ESP]), pointer(machine.cr2)};
#elif defined(__aarch64__)
    return {pointer(machine.sp), pointer(machine.fault_address)};
#elif defined(__arm__)
    return {pointer(machine.arm_sp), pointer(machine.fault_address)};
#elif defined(__riscv)
    return {pointer(machine.__gregs[REG_SP]), nullptr};
#elif defined(__powerpc64__)
    return {pointer(machine.gp_regs[1]), nullptr};
#elif defined(__s390x__)
    return {pointer(machine.gregs[15]), nullptr};
#elif defined(__loongarch__)
    return {pointer(machine.__gregs[3]), nullptr};
#else
    static_cast<void>(machine);
    return {pointer(0U), nullptr};
#endif
}

// True if an execution runs on the slot. A large frame may have moved the stack pointer beyond the guard before
// touching it. If anything lies there, it is the client area of another slot, and no stack.
bool is_running_on(const Slot& slot, const void* stack_pointer) noexcept {
    auto* pointer = static_cast<const std::byte*>(stack_pointer);
    std::size_t others_client_bytes = slot.layout->client_bytes - SlotLayout::most_shared_stack;
    return pointer >= slot.begin() - others_client_bytes && pointer <= slot.stack_base();
}

// False for a signal that a program sent: Linux has numbers below these for that, macOS and FreeBSD greater ones.
bool is_fault(const siginfo_t& info) noexcept { return info.si_code > 0 && info.si_code < 0x10000; }

bool is_within(const stack_t& stack, const void* address) noexcept {
    auto* begin = static_cast<const std::byte*>(stack.ss_sp);
    return address >= begin && address < begin + stack.ss_size;
}

struct HandledSignal {
    int number;
    struct sigaction previous;
    bool is_installed;
};

HandledSignal handled_signals[] = {{SIGSEGV, {}, false}, {SIGBUS, {}, false}};
constinit Mutex installing;
std::atomic<OverflowReport> wanted_report{nullptr};
static_assert(std::atomic<OverflowReport>::is_always_lock_free);

void pass_on(const HandledSignal& handled, siginfo_t* info, void* context) noexcept {
    const struct sigaction& previous = handled.previous;
    bool was_sent = !is_fault(*info);
    if ((previous.sa_flags & SA_SIGINFO) != 0) {
        previous.sa_sigaction(handled.number, info, context);
    }
    else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(handled.number);
    }
    else if (previous.sa_handler == SIG_DFL || !was_sent) {
        // A fault happens again when the handler returns, and the system does not let it be ignored.
        ::sigaction(handled.number, &previous, nullptr);
        if (was_sent) {
            ::raise(handled.number);  // blocked until the handler returns
        }
    }
}

void on_signal(int number, siginfo_t* info, void* context) noexcept {
    int saved_errno = errno;
    OverflowReport report = wanted_report.load(std::memory_order_acquire);
    if (report != nullptr) {
        const ucontext_t& interrupted_context = *static_cast<const ucontext_t*>(context);
        Interrupted code = interrupted(interrupted_context);
        if (is_fault(*info)) {
            const Slot* slot = slot_guarding(info->si_addr);
            if (slot != nullptr && is_running_on(*slot, code.stack_pointer)) {
                report(*slot);
            }
        }
        else if (is_within(interrupted_context.uc_stack, code.stack_pointer) &&
                 slot_guarding(code.last_fault) != nullptr) {
            // Another handler passed on the signal of an overflow. When that handler returns too, the fault happens
            // again, and this handler is called for the fault itself.
            errno = saved_errno;
            return;
        }
    }
    errno = saved_errno;
    pass_on(handled_signals[number == SIGSEGV ? 0 : 1], info, context);
}

bool is_ours(const struct sigaction& action) noexcept {
    return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == on_signal;
}

bool is_default(const struct sigaction& action) noexcept {
    return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL;
}

// Installs our handler. Not a second time above a handler that passes its signals on to ours: each would pass them to
// the other forever.
bool install(HandledSignal& handled) noexcept {
    struct sigaction current{};
    if (::sigaction(handled.number, nullptr, &current) != 0) {
        return false;
    }
    if (is_ours(current) || (handled.is_installed && !is_default(current))) {
        return true;
    }
    handled.previous = current;
    struct sigaction ours{};
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ours.sa_sigaction = on_signal;
    sigemptyset(&ours.sa_mask);
    handled.is_installed = ::sigaction(handled.number, &ours, nullptr) == 0;
    return handled.is_installed;
}

// Uninstalls our handler, unless another handler may refer to it. If it stays, it passes every signal on.
void uninstall(HandledSignal& handled) noexcept {
    struct sigaction current{};
    if (handled.is_installed && ::sigaction(handled.number, nullptr, &current) == 0 && is_ours(current)) {
        handled.is_installed = ::sigaction(handled.number, &handled.previous, nullptr) != 0;
    }
}

// A thread's signal stack, above a guard page.
class SignalStack {
public:
    constexpr SignalStack() noexcept = default;
    SignalStack(const SignalStack&) = delete;
    SignalStack& operator=(const SignalStack&) = delete;

    ~SignalStack() {
        if (begin_ == nullptr) {
            return;
        }
        stack_t current{};
        if (::sigaltstack(nullptr, &current) == 0 && current.ss_sp == begin_ + system::page_size()) {
            stack_t none{};
            none.ss_flags = SS_DISABLE;
            ::sigaltstack(&none, nullptr);
        }
        system::unreserve(begin_, bytes());
    }

    bool install() noexcept {
        if (begin_ == nullptr && !allocate()) {
            return false;
        }
        stack_t stack{};
        stack.ss_sp = begin_ + system::page_size();
        stack.ss_size = usable_bytes;
        return ::sigaltstack(&stack, nullptr) == 0;
    }

private:
    // Ample for the registers that the system saves, 11 KiB at most, and for the handlers that signals are passed on
    // to.
    static constexpr std::size_t usable_bytes = std::size_t{128} << 10;

    static std::size_t bytes() noexcept { return system::page_size() + usable_bytes; }

    bool allocate() noexcept {
        std::byte* begin = system::reserve(bytes(), system::page_size(), 0, system::Commit::at_once);
        if (begin == nullptr) {
            return false;
        }
        if (!system::install_guard(begin, system::page_size(), system::preferred_guard())) {
            system::unreserve(begin, bytes());
            return false;
        }
        begin_ = begin;
        return true;
    }

    std::byte* begin_ = nullptr;
};

// The signal stack of the running thread, which owns it until it ends. A thread-local variable would not do, because
// the C library has little room for those of libraries that are loaded late.
SignalStack* signal_stack_of_thread() noexcept {
    static constinit FirstUse<system::ThreadValue> first_use;
    const auto& owned = first_use.value(
        []() noexcept { return system::ThreadValue([](void* stack) { destroy(static_cast<SignalStack*>(stack)); }); });
    auto* stack = static_cast<SignalStack*>(owned.get());
    if (stack == nullptr && (stack = new (heap) SignalStack) != nullptr && !owned.set(stack)) {
        destroy(stack);
        stack = nullptr;
    }
    return stack;
}

}  // namespace

bool report_overflows(OverflowReport report) noexcept {
    std::lock_guard lock(installing);
    bool succeeded = true;
    wanted_report.store(report, std::memory_order_release);
    for (HandledSignal& handled : handled_signals) {
        if (report == nullptr) {
            uninstall(handled);
        }
        else {
            succeeded &= install(handled);
        }
    }
    return succeeded;
}

bool ensure_signal_stack() noexcept {
    stack_t current{};
    bool has_one = ::sigaltstack(nullptr, &current) == 0 && (current.ss_flags & SS_DISABLE) == 0;
    if (has_one) {
        return true;
    }
    SignalStack* stack = signal_stack_of_thread();
    return stack != nullptr && stack->install();
}

}  // namespace stackful
