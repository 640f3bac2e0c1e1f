#include "stackless/watchdog.hpp"

#include "core/reference.hpp"
#include "interpreter/pending_exception.hpp"
#include "stackful/system/signals.hpp"
#include "stackful/system/threads.hpp"
#include "stackless/system/alarm.hpp"

namespace stackless::watchdog {

namespace {

using core::Reference;

// Global, because signals belong to the process. Only the main thread uses it.
int alarm_signal = 0;

// The interpreter restores the default actions of signals before it ends a run() that is in progress. An alarm after
// that would end the process.
PyObject* disable(PyObject*, PyObject*) {
    alarm::destroy();
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

// Installs a handler for a signal that has none. False with an exception if that fails.
bool install(PyMethodDef& function) noexcept {
    Reference module = Reference::steal(PyImport_ImportModule("signal"));
    Reference handler = Reference::steal(PyCFunction_New(&function, nullptr));
    if (!module || !handler) {
        return false;
    }
    for (int number = 0; int signal = alarm::candidate(number); ++number) {
        if (!stackful::system::has_default_action(signal)) {
            continue;
        }
        Reference previous = Reference::steal(PyObject_CallMethod(module.get(), "signal", "iO", signal, handler.get()));
        if (!previous) {
            return false;
        }
        if (PyObject_HasAttrString(module.get(), "siginterrupt") &&
            !Reference::steal(PyObject_CallMethod(module.get(), "siginterrupt", "ii", signal, 0))) {
            return false;
        }
        alarm_signal = signal;
        return true;
    }
    PyErr_SetString(PyExc_RuntimeError, "no signal is free");
    return false;
}

}  // namespace

std::int64_t now() noexcept { return stackful::system::monotonic_time(); }

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
    return is_main && alarm::make(alarm_signal);
}

void set_alarm(std::int64_t time) noexcept { alarm::set(time); }

}  // namespace stackless::watchdog
