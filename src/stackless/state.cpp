#include "stackless/state.hpp"

#include <new>

#include "core/reference.hpp"
#include "stackless/channel.hpp"
#include "stackless/scheduler.hpp"

namespace stackless {

using core::Reference;

namespace {

PyMethodDef run_tasklet_function = {
    "run_tasklet", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(run_tasklet)), METH_FASTCALL, nullptr};

// One after the other, until one fails: CPython makes nothing while there is an exception.
bool fill(State& state) noexcept {
    auto is_made = [](PyTypeObject*& place, PyObject* made) { return (place = reinterpret_cast<PyTypeObject*>(made)) != nullptr; };
    return is_made(state.tasklet_type, make_tasklet_type()) && is_made(state.channel_type, make_channel_type()) &&
           is_made(state.scheduler_type, make_scheduler_type()) && is_made(state.atomic_type, make_atomic_type()) &&
           (state.tasklet_exit = PyErr_NewExceptionWithDoc(
                "greenlet.stackless.TaskletExit",
                "Raised in a tasklet to end it. The scheduler takes no further notice of it.", PyExc_SystemExit, nullptr)) != nullptr &&
           (state.run_tasklet = PyCFunction_New(&run_tasklet_function, nullptr)) != nullptr;
}

// nullptr with an exception if that fails.
State* make() noexcept {
    auto* state = new (std::nothrow) State{};
    if (state == nullptr) {
        PyErr_NoMemory();
        return nullptr;
    }
    if (!fill(*state)) {
        release(state);
        return nullptr;
    }
    return state;
}

// greenlet._greenlet.stackless: what greenlet.stackless is made of.
PyObject* make_namespace(State& state) noexcept {
    Reference result = Reference::steal(PyModule_New("greenlet._greenlet.stackless"));
    auto add = [&result](const char* name, void* object) {
        return PyModule_AddObjectRef(result.get(), name, static_cast<PyObject*>(object)) == 0;
    };
    bool complete = result && add("tasklet", state.tasklet_type) && add("channel", state.channel_type) &&
                    add("atomic", state.atomic_type) && add("TaskletExit", state.tasklet_exit) &&
                    PyModule_AddFunctions(result.get(), functions) == 0;
    return complete ? result.release() : nullptr;
}

}  // namespace

int add_to(PyObject* module, core::ModuleState& module_state) noexcept {
    if (module_state.stackless == nullptr) {
        module_state.stackless = make();
    }
    Reference names = Reference::steal(module_state.stackless != nullptr ? make_namespace(*module_state.stackless) : nullptr);
    return names ? PyModule_AddObjectRef(module, "stackless", names.get()) : -1;
}

void release(State* state) noexcept {
    if (state == nullptr) {
        return;
    }
    Py_XDECREF(state->tasklet_type);
    Py_XDECREF(state->channel_type);
    Py_XDECREF(state->scheduler_type);
    Py_XDECREF(state->atomic_type);
    Py_XDECREF(state->tasklet_exit);
    Py_XDECREF(state->run_tasklet);
    for (PyObject* callback : {state->channel_callback.get(), state->schedule_callback.get(), state->error_handler.get()}) {
        Py_XDECREF(callback);
    }
    delete state;
}

}  // namespace stackless
