// CPython 3.11 to 3.13: the call that suspended a greenlet, as far as the garbage collector needs to know it.
//
// While a C function runs, these versions keep the depth of the calling frame's value stack in a register, so the frame
// of a suspended greenlet does not say how much of the stack is in use. The arguments of the call are the topmost
// values, so their position shows the depth. From 3.14 on the frame says it, and a call in progress is empty.

#pragma once

#include <cstdint>

#include "interpreter/versions/cpython.hpp"

namespace interpreter {

#if PY_VERSION_HEX < 0x030E0000

struct CallInProgress {
    PyObject* const* arguments = nullptr;  // positional ones, then the values of keywords; nullptr if not known
    std::size_t count = 0;                 // SavedCall has room for 65,535; where there are more, they are not known

    CallInProgress() noexcept = default;
    CallInProgress(PyObject* const* args, Py_ssize_t positional, PyObject* names) noexcept {
        Py_ssize_t all = positional + (names != nullptr ? PyTuple_GET_SIZE(names) : 0);
        if (all <= UINT16_MAX) [[likely]] {
            arguments = args;
            count = static_cast<std::size_t>(all);
        }
    }
};

// A CallInProgress that takes less memory.
class SavedCall {
public:
    void set(CallInProgress call) noexcept {
        arguments_ = call.arguments;
        count_ = static_cast<std::uint16_t>(call.count);
    }
    CallInProgress get() const noexcept {
        CallInProgress call;
        call.arguments = arguments_;
        call.count = count_;
        return call;
    }

private:
    PyObject* const* arguments_ = nullptr;
    std::uint16_t count_ = 0;
};

#else

struct CallInProgress {
    CallInProgress() noexcept = default;
    CallInProgress(PyObject* const*, Py_ssize_t, PyObject*) noexcept {}
};

class SavedCall {
public:
    void set(CallInProgress) noexcept {}
    CallInProgress get() const noexcept { return {}; }
};

#endif

}  // namespace interpreter
