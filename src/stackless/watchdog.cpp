#include "stackless/watchdog.hpp"

#include <unistd.h>
#include <csignal>
#include <ctime>

#include "core/reference.hpp"
#include "interpreter/pending_exception.hpp"
#include "stackless/scheduler.hpp"

namespace stackless::watchdog {

namespace {

using core::Reference;

// Signals, timers and the main thread are the process's, so these are too. Only its main thread uses them.
timer_t timer;
pid_t timer_owner = 0;  // a child process does not inherit the timer
int alarm_signal = 0;

// The alarm goes off again and again, so many nanoseconds apart: CPython 3.11 and 3.12 can overlook a signal that
// arrives while they find out whether there is anything to attend to, until the next one.
constexpr long snooze = 5'000'000;

PyObject* alarm_went_off(PyObject*, PyObject*) {
    Scheduler* scheduler = Scheduler::running();
    if (scheduler == nullptr || !scheduler->interrupt()) {
        return nullptr;
    }
    Py_RETURN_NONE;
}

PyMethodDef alarm_function = {"alarm_went_off", alarm_went_off, METH_VARARGS, nullptr};

// When the interpreter ends it takes the handlers from the signals, before it ends a run() that is in progress. An
// alarm that went off then would end the process.
PyObject* end(PyObject*, PyObject*) {
    if (timer_owner == getpid()) {
        timer_delete(timer);
    }
    timer_owner = 0;
    alarm_signal = 0;
    core::ModuleState* module = core::ModuleState::of_interpreter();
    if (module == nullptr) {
        return nullptr;
    }
    layer.of(*module).has_no_alarm = true;
    Py_RETURN_NONE;
}

PyMethodDef end_function = {"end", end, METH_NOARGS, nullptr};

// Has end() called when the interpreter ends. False with an exception if that is not possible.
bool note_end() noexcept {
    Reference module = Reference::steal(PyImport_ImportModule("atexit"));
    Reference function = Reference::steal(PyCFunction_New(&end_function, nullptr));
    return module && function && Reference::steal(PyObject_CallMethod(module.get(), "register", "O", function.get()));
}

// Finds a real-time signal that nobody handles, and handles it. False with an exception if that is not possible.
bool install_handler() noexcept {
    Reference module = Reference::steal(PyImport_ImportModule("signal"));
    Reference handler = Reference::steal(PyCFunction_New(&alarm_function, nullptr));
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

bool prepare(const State& state) noexcept {
    if (state.has_no_alarm) {
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
        is_main = note_end() && install_handler();
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
    when.it_interval.tv_nsec = snooze;
    timer_settime(timer, TIMER_ABSTIME, &when, nullptr);
}

}  // namespace stackless::watchdog
