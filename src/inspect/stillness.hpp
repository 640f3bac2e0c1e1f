// Whether a thread has run between two looks at it, by what the system says of it.
//
// Everything here may be called in a signal handler.

#pragma once

#include "inspect/memory.hpp"
#include "inspect/system/system.hpp"

namespace inspect {

class Stillness {
public:
    // Room for what the system says, which the small stack of a signal handler does not have.
    struct Buffer {
        char text[4096];
    };

    // The thread of the memory's process that the system knows by this number.
    Stillness(const Memory& memory, unsigned long native_id, Buffer& buffer) noexcept;

    // True if the thread certainly has not run since the construction.
    bool lasts() const noexcept;

private:
    system::ThreadLook look() const noexcept;

    pid_t process_;
    unsigned long native_id_;
    Buffer& buffer_;
    system::ThreadLook first_;
};

}  // namespace inspect
