// Shadow stacks, with which a switch does not work.
//
// With one (SHSTK of Intel CET, the Guarded Control Stack of Arm) the processor keeps a second copy of all return
// addresses of a thread, in memory that it alone writes, and ends the process at a return to another address. A switch
// returns on another stack, whose return addresses are not in the thread's copy.

#pragma once

#include <cstdint>

namespace stackful {

// True if the running thread has one. Linux gives it to all threads of a process or to none.
inline bool has_shadow_stack() noexcept {
#if (defined(__linux__) || defined(_WIN32)) && defined(__x86_64__)
    std::uint64_t pointer = 0;
    asm volatile(".byte 0xf3, 0x48, 0x0f, 0x1e, 0xc8" : "+a"(pointer));  // rdsspq rax. Does nothing without one
    return pointer != 0;
#elif defined(__linux__) && defined(__aarch64__)
    register std::uint64_t features asm("x16") = 1;
    asm volatile("hint #40" : "+r"(features));  // chkfeat x16: clears the bits of what is on. Older ones ignore it
    return features == 0;
#else
    return false;
#endif
}

}  // namespace stackful
