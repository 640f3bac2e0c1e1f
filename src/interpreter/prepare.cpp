#include "interpreter/prepare.hpp"

#include "interpreter/frames/early_release.hpp"
#include "interpreter/thread_state.hpp"
#include "interpreter/versions/calls.hpp"

namespace interpreter {

namespace {

#if PY_VERSION_HEX >= 0x030E0000

// Compares the limits that this layer writes with those that CPython computes.
bool learn_c_stack_limits(PyThreadState* ts) noexcept {
    auto* impl = reinterpret_cast<_PyThreadStateImpl*>(ts);
    auto init_base = impl->c_stack_init_base;
    auto init_top = impl->c_stack_init_top;
    Limits running = Limits::of(ts);

    constexpr std::size_t size = std::size_t{1} << 20;
    auto* base = reinterpret_cast<std::byte*>(running.top);
    bool same = PyUnstable_ThreadState_SetStackProtection(ts, base - size, size) == 0 &&
                Limits::of(ts) == Limits::of(base - size, base);
    running.load(ts);
    impl->c_stack_init_base = init_base;
    impl->c_stack_init_top = init_top;
    if (!same && !PyErr_Occurred()) {
        PyErr_SetString(PyExc_ImportError,
                        "greenlet was compiled for a CPython that places its C stack limits differently");
    }
    return same;
}

#elif PY_VERSION_HEX >= 0x030C0000

// Reads the interpreter's own constant from a new thread state.
bool learn_c_stack_limits(PyThreadState* ts) noexcept {
    PyThreadState* fresh = PyThreadState_New(ts->interp);
    if (fresh == nullptr) {
        PyErr_NoMemory();
        return false;
    }
    interpreter_c_recursion_limit = fresh->c_recursion_remaining;
    PyThreadState_Clear(fresh);
    PyThreadState_Delete(fresh);
    return true;
}

#else

bool learn_c_stack_limits(PyThreadState*) noexcept { return true; }

#endif

}  // namespace

bool prepare() noexcept { return find_python_call() && learn_c_stack_limits(current_thread_state()); }

}  // namespace interpreter
