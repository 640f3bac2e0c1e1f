#include "stackless/watchdog.hpp"

#include <unistd.h>
#include <csignal>
#include <ctime>

#include "core/reference.hpp"
#include "interpreter/pending_exception.hpp"

namespace stackless::watchdog {

namespace {

using core::Reference;

// Global, because signals, timers and the main thread belong to the process. Only the main thread uses these.
timer_t timer;
pid_t timer_owner = 0;  // a child process does not inherit the timer
int alarm_signal = 0;

// The nanoseconds from one signal to the next. There is more than one because CPython 3.11 and 3.12 can overlook a
// signal that arrives while they check for pending signals, until another one arrives.
constexpr long interval = 5'000'000;

// The interpreter restores the default actions of signals before it ends a run() that is in progress. An alarm after
// that would end the process.
PyObject* disable(PyObject*, PyObject*) {
    if (timer_owner == getpid()) {
        timer_delete(timer);
    }
    timer_owner = 0;
    alarm_signal = 0;
    core::ModuleState* module = core::ModuleState::of_interpreter();
    if (module == nullptr) {
        return nullptr;
    }
    layer.of(*module).is_alarm_disabled = true;
    Py_RETURN_NONE;
}

PyMethodDef disable_function = {"disable", disable, METH_NOARGS, nullptr};

// Registers disable() to be called when the interpreter ends. False with an exception if that fails.
bool register_disable() noexcept {
    Reference module = Reference::steal(PyImport_ImportModule("atexit"));
    Reference function = Reference::steal(PyCFunction_New(&disable_function, nullptr));
    return module && function && Reference::steal(PyObject_CallMethod(module.get(), "register", "O", function.get()));
}

// Installs a handler for a real-time signal that has none. False with an exception if that fails.
bool install(PyMethodDef& function) noexcept {
    Reference module = Reference::steal(PyImport_ImportModule("signal"));
    Reference handler = Reference::steal(PyCFunction_New(&function, nullptr));
    if (!module || !handler) {
        return false;
    }
    for (int number = SIGRTMAX - 1; number > SIGRTMIN; --number) {
        struct sigaction action;
        if (sigaction(number, nullptr, &action) != 0 || action.sa_handler != SIG_DFL) {
            continue;
        }
        Reference previous = Reference::steal(PyObject_CallMethod(module.get(), "signal", "iO", number, handler.get()));
        Reference restarts = Reference::steal(
            previous ? PyObject_CallMethod(module.get(), "siginterrupt", "ii", number, 0) : nullptr);
        if (!restarts) {
            return false;
        }
        alarm_signal = number;
        return true;
    }
    PyErr_SetString(PyExc_RuntimeError, "no signal is free");
    return false;
}

bool make_timer() noexcept {
    if (timer_owner == getpid()) {
        return true;
    }
    struct sigevent event = {};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = alarm_signal;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) {
        return false;
    }
    timer_owner = getpid();
    return true;
}

}  // namespace

std::int64_t now() noexcept {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

bool prepare(const State& state, PyMethodDef& handler) noexcept {
    if (state.is_alarm_disabled) {
        return false;
    }
    interpreter::PendingException in_flight;
    Reference threading = Reference::steal(PyImport_ImportModule("threading"));
    Reference main = Reference::steal(threading ? PyObject_CallMethod(threading.get(), "main_thread", nullptr)
                                                : nullptr);
    Reference ident = Reference::steal(main ? PyObject_GetAttrString(main.get(), "ident") : nullptr);
    bool is_main = ident && PyLong_Check(ident.get()) &&
                   PyLong_AsUnsignedLong(ident.get()) == PyThread_get_thread_ident() &&
                   PyInterpreterState_Get() == PyInterpreterState_Main();
    if (is_main && alarm_signal == 0) {
        is_main = register_disable() && install(handler);
    }
    PyErr_Clear();
    return is_main && make_timer();
}

void set_alarm(std::int64_t time) noexcept {
    if (timer_owner != getpid()) {
        return;
    }
    struct itimerspec when = {};
    when.it_value.tv_sec = time / 1'000'000'000;
    when.it_value.tv_nsec = time % 1'000'000'000;
    when.it_interval.tv_nsec = interval;
    timer_settime(timer, TIMER_ABSTIME, &when, nullptr);
}

}  // namespace stackless::watchdog
