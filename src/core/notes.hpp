// Notes about an operating-system thread.
//
// The C library keeps some 1,600 bytes in each thread for the thread-local variables of all libraries that are loaded
// later. When they are used up, loading one more library fails. So one pointer is thread-local, and the notes are
// allocated when there is something to note. They are freed when the thread ends.

#pragma once

#include <cstddef>

#include "interpreter/threading/threads.hpp"

namespace core {

struct Thread;
struct Release;

struct Notes {
    // The last Thread that was looked up. Valid while no Thread has ended since.
    PyThreadState* thread_state;
    Thread* thread;
    std::size_t ended;  // how many had ended then

    Thread* ending;    // the Thread that is ending now, which its thread state no longer knows
    Release* release;  // of a parent; in progress (collect.cpp)
    interpreter::Clearing clearing;

    // For reading; never nullptr.
    static const Notes& get() noexcept { return *notes; }

    // For writing. nullptr if memory ran out.
    static Notes* make() noexcept { return notes != &nothing ? notes : allocate(); }

private:
    static Notes* allocate() noexcept;
    static void free(void* notes) noexcept;

    static Notes nothing;  // of threads without notes; never written
    static constinit thread_local Notes* notes;
};

}  // namespace core
