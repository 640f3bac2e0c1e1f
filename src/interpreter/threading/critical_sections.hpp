// Free-threaded builds: the locks on objects that the running C functions hold ("critical sections").
//
// A thread that waits for something lets go of its critical sections and takes them again when it goes on. A greenlet that
// is suspended must do the same, or the next greenlet of its thread that wants one of those locks waits for ever.
// Detaching and attaching the thread state does both halves. In other builds there is nothing to do.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace interpreter {

#ifdef Py_GIL_DISABLED

class CriticalSections {
public:
    // Before a switch: unlocks what the running greenlet holds.
    void suspend(PyThreadState* ts) noexcept {
        sections_ = ts->critical_section;
        if (sections_ != 0) [[unlikely]] {
            PyEval_SaveThread();
            sections_ = ts->critical_section;  // now marked as inactive
            ts->critical_section = 0;
            PyEval_RestoreThread(ts);
        }
    }

    // After it was resumed: locks them again, which may wait for another thread.
    void resume(PyThreadState* ts) noexcept {
        if (sections_ != 0) [[unlikely]] {
            ts->critical_section = sections_;
            PyEval_SaveThread();
            PyEval_RestoreThread(ts);
        }
    }

private:
    std::uintptr_t sections_ = 0;
};

#else

class CriticalSections {
public:
    void suspend(PyThreadState*) noexcept {}
    void resume(PyThreadState*) noexcept {}
};

#endif

}  // namespace interpreter
