// What is noted of an operating-system thread.
//
// The C library keeps room in each thread for the thread-local variables of libraries that are loaded later, but only some 1,600 bytes
// for all of them; when they are used up, loading one more fails. So there is one pointer, and the notes are allocated when there is
// something to note. They are freed when the thread ends.

#pragma once

#include <cstddef>

#include "interpreter/threading/threads.hpp"

namespace core {

struct Thread;
struct Release;

struct Notes {
    // The last Thread that was asked for. Valid while no Thread has ended since.
    PyThreadState* thread_state;
    Thread* thread;
    std::size_t ended;  // so many had

    Thread* ending;                      // the one whose end is in progress, and which its thread state does not know any more
    Release* release;                    // of a parent, in progress (collect.cpp)
    interpreter::Clearing clearing;

    // To be read. There always are some.
    static const Notes& get() noexcept { return *notes; }

    // To be written: nullptr if there is no memory.
    static Notes* make() noexcept { return notes != &nothing ? notes : allocate(); }

private:
    static Notes* allocate() noexcept;
    static void free(void* notes) noexcept;

    static Notes nothing;  // of threads of which nothing is noted yet; not written
    static constinit thread_local Notes* notes;
};

}  // namespace core
