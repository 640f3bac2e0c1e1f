// Free-threaded builds, 3.13 on: critical sections, the locks on objects that the running C functions hold.
//
// A thread that waits releases its critical sections and acquires them again when it continues. A greenlet that is
// suspended must do the same, or the next greenlet of its thread that wants one of the locks waits forever. Detaching
// and attaching the thread state does both. In other builds there is nothing to do.

#pragma once

#include "interpreter/versions/cpython.hpp"

namespace interpreter {

#ifdef Py_GIL_DISABLED

class CriticalSections {
public:
    // To be called before a switch: releases the locks of the running greenlet.
    void suspend(PyThreadState* ts) noexcept {
        sections_ = ts->critical_section;
        if (sections_ != 0) [[unlikely]] {
            PyEval_SaveThread();
            sections_ = ts->critical_section;  // now marked inactive
            ts->critical_section = 0;
            PyEval_RestoreThread(ts);
        }
    }

    // To be called after it was resumed: acquires them again, which may wait for another thread.
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
