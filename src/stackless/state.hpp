// What one interpreter has of this layer.

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

    Callback channel_callback;  // or nullptr, like the next two
    Callback schedule_callback;
    Callback error_handler;
    Scheduler* schedulers;  // one a thread
    bool has_no_alarm;      // any more, because the interpreter ends: watchdog.hpp

    ~State();

    // One of the callbacks; nothing if there is none.
    core::Reference get(Callback State::* callback) noexcept {
        interpreter::Holding lock(tasklets_lock);
        return core::Reference::borrow(this->*callback);
    }
};

inline constexpr core::Layer<State> layer{2};

// Adds this layer to the module greenlet._greenlet. 0, or -1 with an exception.
int add_to(PyObject* module, core::ModuleState& module_state) noexcept;

// The functions of the layer.
extern PyMethodDef functions[];

}  // namespace stackless
