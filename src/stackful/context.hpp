// The context switch: suspend the execution that is running, resume another.
//
// An *execution* is one thread of control: the operating-system thread's own stack, or one that was started on a
// stack of its own. Exactly one execution of a thread runs at a time; each of the others is *suspended*, and then its
// callee-saved registers lie on its own stack and its `Context` says where:
//
//        running                      suspended
//     +-----------+               +---------------+
//     |  frames   |               |    frames     |
//     |    ...    |               |      ...      |
//     |           | <- sp         | return address|
//     +-----------+               | saved         |
//                                 |   registers   | <- Context::stack_pointer
//                                 +---------------+
//
// The file has two halves. `stackful_switch` and `make_context` are the primitives, one implementation a processor in
// arch/. `Execution`, `prepare`, `switch_to`, `finish` and `retire` are the same things with the sanitizers and
// Valgrind told (annotations.hpp); that is what a client uses. Where those tools are off they compile to the bare
// primitives.
//
// The life of an execution on a stack of its own:
//
//     prepare(e, low, base, entry)          nothing runs yet
//     switch_to(here, e, value)             entry(value) begins on the stack; it calls entered() first
//     switch_to(e, here, value) ...         back and forth, any number of times
//     finish(e, here, value)                from within e, which never runs again
//     retire(e)                             from another execution; now the stack may be used for something else
//
// A default-constructed Execution stands for the thread's own stack, and needs neither prepare() nor retire().
//
// Some code has to run on the thread's own stack, because it compares the stack pointer with the bounds that the system
// says the thread has. call_below() has a function run there without a switch: below the frames of the execution that
// is suspended there, which can't be resumed until the function has returned.
//
// How to keep a switch fast. The processor predicts where a `ret` goes to from the `call`s it has seen. A switch ends
// in a `ret` that belongs to another stack's `call`, so the prediction is right if both were made at the same
// place: let a program have *one* out-of-line function that calls switch_to, for starting, switching and finishing
// alike (benchmarks/stackful measures both ways).
//
// What an entry function must observe. It never returns. It lets no C++ exception out: there is no frame above it to
// catch one, so that would end in std::terminate. It must not be `noexcept`, nor may functions that call foreign code
// from it be, if `pthread_exit` is to work on its stack: that unwinds the stack's frames, then ends the thread.

#pragma once

#include <cstddef>
#include <cstdint>

#include "stackful/annotations.hpp"

namespace stackful {

// What the switch is made of: the name of the file in arch/.
inline constexpr const char* switch_name = STACKFUL_SWITCH;

// A function that is called on another stack.
using Function = void* (*)(void* argument);

// The first function of a stack. It gets what the first switch to it transfers, and never returns.
using EntryPoint = void (*)(void* transfer);

// A suspended execution. Means nothing while the execution runs.
struct Context {
    void* stack_pointer = nullptr;  // where its registers are saved, on its own stack
};

extern "C" {

// Suspends the caller into `*from`, resumes `to`. Returns, when somebody resumes the caller, what they transfer.
void* stackful_switch(Context* from, Context to, void* transfer) noexcept;

// For make_context(): its stack pointer.
void* stackful_make_context(void* stack_base, EntryPoint entry) noexcept;

// Calls function(argument) on the stack that grows down from `stack_pointer` (16-byte aligned), where a context is
// saved that is not resumed meanwhile. Returns its result. What unwinds the stack, such as a C++ exception, passes.
void* stackful_call_on(void* stack_pointer, Function function, void* argument);
}

// The context of an execution that will begin with entry(transfer) when first switched to, on the stack that grows
// down from `stack_base` (16-byte aligned). Its floating-point control words will be those of the caller.
inline Context make_context(void* stack_base, EntryPoint entry) noexcept {
    return Context{stackful_make_context(stack_base, entry)};
}

// One thread of control, and what the analysis tools know about it. Must stay where it is while the tools know it.
struct Execution {
    Context context;
    [[no_unique_address]] annotations::Fiber fiber;
};

// Does an execution that switches away come back?
enum class Leaving { for_a_while, for_ever };

// Makes `execution` ready to begin at `entry` on the stack [low, base).
inline void prepare(Execution& execution, std::byte* low, std::byte* base, EntryPoint entry) noexcept {
    execution.fiber.create(low, base);
    execution.context = make_context(base, entry);
}

// The first thing an entry function calls.
[[gnu::always_inline]] inline void entered() noexcept { annotations::Fiber::entered(); }

// Suspends `from`, the running execution, and resumes `to`. Returns what is transferred to `from` when it is resumed.
[[gnu::always_inline]] inline void* switch_to(Execution& from, Execution& to, void* transfer,
                                              Leaving leaving = Leaving::for_a_while) noexcept {
    from.fiber.leave(to.fiber, leaving == Leaving::for_ever);
    void* received = stackful_switch(&from.context, to.context, transfer);
    from.fiber.resumed();
    return received;
}

// The last thing an execution does: it never runs again.
[[noreturn, gnu::always_inline]] inline void finish(Execution& from, Execution& to, void* transfer) noexcept {
    switch_to(from, to, transfer, Leaving::for_ever);
    __builtin_unreachable();
}

// What call_below() passes to the other stack.
struct CallBelow {
    Execution& caller;
    Function function;
    void* argument;
};

inline void* make_call_below(void* passed) {
    struct Stay {
        Execution& caller;
        explicit Stay(Execution& execution) : caller(execution) { annotations::Fiber::has_arrived_below(); }
        ~Stay() { caller.fiber.return_from_below(); }
    };
    auto& call = *static_cast<CallBelow*>(passed);
    Stay stay(call.caller);
    return call.function(call.argument);
}

// Calls function(argument) on the stack of `suspended`, below its frames, and returns its result. `caller` is the
// running execution, and stays it. Neither it nor `suspended` may be switched to meanwhile.
inline void* call_below(Execution& caller, Execution& suspended, Function function, void* argument) {
    struct Trip {
        Execution& caller;
        Trip(Execution& execution, Execution& host) : caller(execution) { caller.fiber.go_below(host.fiber); }
        ~Trip() { caller.fiber.resumed(); }
    };
    CallBelow call{caller, function, argument};
    auto free_below = reinterpret_cast<std::uintptr_t>(suspended.context.stack_pointer) & ~std::uintptr_t{15};
    Trip trip(caller, suspended);
    return stackful_call_on(reinterpret_cast<void*>(free_below), make_call_below, &call);
}

// Forgets an execution that finished, or that will not be resumed. Its stack is free for another use.
inline void retire(Execution& execution) noexcept { execution.fiber.destroy(); }

}  // namespace stackful
