// What this layer keeps for one interpreter.

#pragma once

#include "core/layer.hpp"
#include "core/reference.hpp"
#include "stackless/lock.hpp"

namespace stackless {

struct Scheduler;

struct State {
    PyTypeObject* tasklet_type;
    PyTypeObject* channel_type;
    PyTypeObject* scheduler_type;
    PyTypeObject* atomic_type;
    PyObject* tasklet_exit;                                // TaskletExit
    PyObject* run_tasklet;                                 // the function that greenlets of tasklets run
    using Callback = interpreter::SharedValue<PyObject*>;  // changed while tasklets_lock is held

    Callback channel_callback;  // nullptr if not set, like the next two
    Callback schedule_callback;
    Callback error_handler;
    Scheduler* schedulers;   // a list, one scheduler per thread
    bool is_alarm_disabled;  // because the interpreter ends (watchdog.hpp)

    ~State() {
        PyObject* owned[] = {reinterpret_cast<PyObject*>(tasklet_type),
                             reinterpret_cast<PyObject*>(channel_type),
                             reinterpret_cast<PyObject*>(scheduler_type),
                             reinterpret_cast<PyObject*>(atomic_type),
                             tasklet_exit,
                             run_tasklet,
                             channel_callback.get(),
                             schedule_callback.get(),
                             error_handler.get()};
        for (PyObject* each : owned) {
            Py_XDECREF(each);
        }
    }

    // One of the callbacks. Empty if it is not set.
    core::Reference get(Callback State::* callback) noexcept {
        interpreter::Holding lock(tasklets_lock);
        return core::Reference::borrow(this->*callback);
    }
};

inline constexpr core::Layer<State> layer{2};

}  // namespace stackless
