#include "stackless/layer.hpp"

#include "core/reference.hpp"
#include "python/define.hpp"
#include "stackless/body.hpp"
#include "stackless/describe.hpp"
#include "stackless/functions.hpp"
#include "stackless/types/types.hpp"

namespace stackless {

using core::Reference;

namespace {

PyMethodDef run_tasklet_function = {"run_tasklet", python::as_method(run_tasklet), METH_FASTCALL, nullptr};

bool fill(State& state) noexcept {
    auto make_exit = [] {
        return PyErr_NewExceptionWithDoc("greenlet.stackless.TaskletExit",
                                         "Raised in a tasklet to end it. The scheduler does not report it.",
                                         PyExc_SystemExit, nullptr);
    };
    auto ensure_type = [](PyTypeObject*& place, PyObject* (*make)() noexcept) {
        return core::ensure(place, [make] { return reinterpret_cast<PyTypeObject*>(make()); });
    };
    return ensure_type(state.tasklet_type, make_tasklet_type) && ensure_type(state.channel_type, make_channel_type) &&
           ensure_type(state.scheduler_type, make_scheduler_type) && ensure_type(state.atomic_type, make_atomic_type) &&
           core::ensure(state.tasklet_exit, make_exit) &&
           core::ensure(state.run_tasklet, [] { return PyCFunction_New(&run_tasklet_function, nullptr); });
}

// Makes greenlet._greenlet.stackless, which the Python module greenlet.stackless is made of.
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
    State* state = layer.ensure(module_state);
    module_state.find_function = find_function;
    Reference names = Reference::steal(state != nullptr && fill(*state) ? make_namespace(*state) : nullptr);
    return names ? PyModule_AddObjectRef(module, "stackless", names.get()) : -1;
}

}  // namespace stackless
