// The context switch for every processor that the C library supports: makecontext and swapcontext.
//
// They save what is needed in a ucontext_t, in a layout of their own. A suspended execution has one on its stack, so a
// Context is a pointer here too:
//
//        |  frames of the    |
//        |     caller        |                     +-------------------+ <- stack_base
//        +-------------------+                     | Suspended         |
//        | frame of          |                     |   .registers      |   made by makecontext: begin at begin()
//        |  stackful_switch: |                     |   .transfer       |
//        |   Suspended       | <- Context          |   .entry          | <- Context
//        |     .registers    |                     +-------------------+
//        |     .transfer     |                     |                   |   where begin() has its frame
//        +-------------------+
//
// The transferred value passes through the Suspended of the execution that is resumed.
//
// The cost is a system call: swapcontext saves the signal mask. So each execution has a signal mask of its own, which
// it takes over from the execution that made its context. With the other switches the mask belongs to the thread.
//
// The cost in memory is two ucontext_t for each stack: 2 KiB on x86-64, but 9 KiB on AArch64, where a parked execution
// therefore takes three pages instead of one.
//
// The unwinding of such a stack ends in the C library's function that called begin().

#include <sys/ucontext.h>
#include <ucontext.h>

#if defined(__loongarch_hard_float)
#error "On LoongArch, swapcontext() of glibc leaves out the floating-point registers"
#endif

#include <cstddef>
#include <cstdint>
#include <new>

#include "stackful/context.hpp"

namespace stackful {
namespace {

struct Suspended {
    ucontext_t registers;
    void* transfer;    // the value that it is resumed with
    EntryPoint entry;  // if it has not begun
    Arrival arrival;   // what it calls first when it is resumed, or nullptr
    void* x;
    void* y;
};

// Suspends the caller into `*from` as `self`, and resumes `other`.
void exchange(Context* from, Suspended& self, Suspended& other) noexcept {
    self.entry = nullptr;
    self.registers.uc_stack = {};  // AddressSanitizer looks at it
    from->stack_pointer = &self;
    ::swapcontext(&self.registers, &other.registers);
}

// In the execution that was suspended as `self`, and has been resumed.
void* arrive(const Suspended& self) {
    return self.arrival != nullptr ? self.arrival(self.x, self.y, self.transfer) : self.transfer;
}

// makecontext passes ints, so the pointer comes in two.
void begin(unsigned low_half, unsigned high_half) {
    std::uintptr_t address = (static_cast<std::uintptr_t>(high_half) << 16 << 16) | low_half;
    auto* self = reinterpret_cast<Suspended*>(address);
    self->entry(self->transfer);
    __builtin_unreachable();
}

// Where frames are chained, unwinders follow the chain, and the C library leaves the last link as it was in memory.
void end_back_chain([[maybe_unused]] const ucontext_t& registers) noexcept {
#if defined(__powerpc64__)
    *reinterpret_cast<void**>(registers.uc_mcontext.gp_regs[1]) = nullptr;
#endif
}

}  // namespace

extern "C" void* stackful_switch(Context* from, Context to, void* transfer) {
    Suspended self;
    auto* other = static_cast<Suspended*>(to.stack_pointer);
    other->transfer = transfer;
    other->arrival = nullptr;
    exchange(from, self, *other);
    return arrive(self);
}

extern "C" void* stackful_switch_arriving(void* x, void* y, void* transfer, Context* from, Context to,
                                          Arrival arrival) {
    Suspended self;
    auto* other = static_cast<Suspended*>(to.stack_pointer);
    other->transfer = transfer;
    other->arrival = arrival;
    other->x = x;
    other->y = y;
    exchange(from, self, *other);
    return arrive(self);
}

extern "C" void* stackful_make_context(void* stack_base, EntryPoint entry) noexcept {
    // makecontext needs some stack below the Suspended, and uses only its end.
    constexpr std::size_t some_stack = 1024;
    auto end = reinterpret_cast<std::uintptr_t>(stack_base) - sizeof(Suspended);
    auto* self = ::new (reinterpret_cast<void*>(end / alignof(std::max_align_t) * alignof(std::max_align_t))) Suspended;
    self->transfer = nullptr;
    self->entry = entry;
    ::getcontext(&self->registers);
    self->registers.uc_stack.ss_sp = reinterpret_cast<std::byte*>(self) - some_stack;
    self->registers.uc_stack.ss_size = some_stack;
    self->registers.uc_link = nullptr;
    auto address = reinterpret_cast<std::uintptr_t>(self);
    ::makecontext(&self->registers, reinterpret_cast<void (*)()>(begin), 2, static_cast<unsigned>(address),
                  static_cast<unsigned>(address >> 16 >> 16));
    end_back_chain(self->registers);
    return self;
}

namespace {

struct CallInProgress {
    Function function;
    void* argument;
    Context caller;
    Context finished;  // the execution that makes the call; never resumed
};

void make_call(void* transfer) {
    auto* call = static_cast<CallInProgress*>(transfer);
    void* result = call->function(call->argument);
    stackful_switch(&call->finished, call->caller, result);
    __builtin_unreachable();
}

}  // namespace

// The call is made by an execution of its own. Below the Suspended of the execution that is suspended there lies the
// frame of the C library's function.
extern "C" void* stackful_call_on(void* stack_pointer, Function function, void* argument) {
    constexpr std::size_t frames_of_swapcontext = 1024;
    CallInProgress call{function, argument, {}, {}};
    Context callee{stackful_make_context(static_cast<std::byte*>(stack_pointer) - frames_of_swapcontext, make_call)};
    return stackful_switch(&call.caller, callee, &call);
}

}  // namespace stackful
