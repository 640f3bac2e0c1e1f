// What the engine and its clients ask of the operating system about threads: mutexes, values that each thread has for
// itself, forks, threads of our own. All of it is inline where it is a call of the C library.
//
//     Mutex          for std::lock_guard. That of the C++ library reports errors through a function of libstdc++,
//                    which an extension module does well not to need (heap.hpp); there are none to report
//     ThreadValue    a pointer that each thread has for itself, with a function to call when the thread ends
//     NativeThread   a thread that was started here
//
//     at_fork(before, in_parent, in_child)   registers functions that are called at each fork; there may be none
//     process_id()                           of this process
//     monotonic_time()                       in nanoseconds
//     date()                                 in nanoseconds since 1970

#pragma once

#if defined(_WIN32)
#include "stackful/system/threads_windows.hpp"
#else
#include "stackful/system/threads_posix.hpp"
#endif
