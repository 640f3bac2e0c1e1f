#include "interpreter/state.hpp"

#include "interpreter/allocation.hpp"
#include "interpreter/frames/given_up.hpp"

namespace interpreter {

void clear_leftovers(PyThreadState* ts) noexcept {
    Py_CLEAR(ts->exc_info->exc_value);
    do_postponed_deallocations(ts);
    assert(ts->datastack_chunk->previous == nullptr);
}

namespace {

#if PY_VERSION_HEX >= 0x030E0000

// The limits that this layer writes are those that CPython would compute.
bool check_c_stack_limits(PyThreadState* ts) noexcept {
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

#endif

// Learns how Python functions are called, from one that nobody has changed.
bool find_python_call() noexcept {
    PyObject* globals = PyDict_New();
    PyCodeObject* code = PyCode_NewEmpty("greenlet", "function", 1);
    PyObject* function = globals != nullptr && code != nullptr ? PyFunction_New(reinterpret_cast<PyObject*>(code), globals) : nullptr;
    if (function != nullptr) {
        python_call = reinterpret_cast<PyFunctionObject*>(function)->vectorcall;
    }
    Py_XDECREF(function);
    Py_XDECREF(code);
    Py_XDECREF(globals);
    return function != nullptr;
}

}  // namespace

bool prepare() noexcept {
    PyThreadState* ts = current_thread_state();
    if (!find_python_call()) {
        return false;
    }
#if PY_VERSION_HEX >= 0x030E0000
    return check_c_stack_limits(ts);
#elif PY_VERSION_HEX >= 0x030C0000
    PyThreadState* fresh = PyThreadState_New(ts->interp);
    if (fresh == nullptr) {
        PyErr_NoMemory();
        return false;
    }
    interpreter_c_recursion_limit = fresh->c_recursion_remaining;
    PyThreadState_Clear(fresh);
    PyThreadState_Delete(fresh);
    return true;
#else
    (void)ts;
    return true;
#endif
}

bool make_context(PyThreadState* ts) noexcept {
    CollectorPaused paused;
    PyObject* context = PyContext_New();
    bool made = context != nullptr && PyContext_Enter(context) == 0;
    assert(!made || ts->context == context);
    (void)ts;
    Py_XDECREF(context);
    return made;
}

int trash_nesting(PyThreadState* ts) noexcept {
#if PY_VERSION_HEX >= 0x030D0000
    (void)ts;
    return 0;
#elif PY_VERSION_HEX >= 0x030C0000
    return ts->trash.delete_nesting;
#else
    return ts->trash_delete_nesting;
#endif
}

}  // namespace interpreter
