// The module greenlet._greenlet: its creation, and its contents.

#include "aio/aio.hpp"
#include "aio/state.hpp"
#include "core/overflow.hpp"
#include "core/reference.hpp"
#include "core/settings.hpp"
#include "core/thread.hpp"
#include "generators/generators.hpp"
#include "generators/state.hpp"
#include "inspect/inspect.hpp"
#include "inspect/recording/recorder.hpp"
#include "module/parts.hpp"
#include "stackful/shadow_stack.hpp"
#include "stackless/layer.hpp"

namespace module {

namespace {

using core::ModuleState;
using core::Reference;

// These names are also attributes of the class: greenlet.greenlet.getcurrent() and so on.
constexpr const char* names_on_type[] = {"getcurrent", "error", "GreenletExit", "settrace", "gettrace"};

bool publish_on_type(PyObject* module, PyTypeObject* type) noexcept {
    if (PyType_HasFeature(type, Py_TPFLAGS_IMMUTABLETYPE)) {
        return true;  // an earlier import did
    }
    for (const char* name : names_on_type) {
        Reference value = Reference::steal(PyObject_GetAttrString(module, name));
        if (!value || PyDict_SetItemString(type->tp_dict, name, value.get()) < 0) {
            return false;
        }
    }
    type->tp_flags |= Py_TPFLAGS_IMMUTABLETYPE;
    PyType_Modified(type);
    return true;
}

int add(PyObject* module, const char* name, void* object) noexcept {
    return PyModule_AddObjectRef(module, name, static_cast<PyObject*>(object));
}

constexpr core::ModuleParts parts{make_greenlet_type, make_unswitchable_type, leave_c_api};

// core finds the layers' state by these numbers.
constexpr unsigned layer_numbers = 1U << generators::layer.number | 1U << aio::layer.number |
                                   1U << stackless::layer.number | 1U << inspect::recording::layer.number;
static_assert(layer_numbers == (1U << core::layer_count) - 1);

// The interpreter's state, which the first import makes. nullptr with an exception.
ModuleState* ensure_state() noexcept {
    bool first_import = !ModuleState::has_interpreter();
    if (PyErr_Occurred()) {
        return nullptr;
    }
    return first_import ? ModuleState::create(parts) : ModuleState::of_interpreter();
}

int fill(PyObject* module) {
    if (!core::warn_of_environment()) {
        return -1;
    }
    core::report_stack_overflow_from_environment();
    ModuleState* state = ensure_state();
    if (state == nullptr) {
        return -1;
    }
    if (add(module, "greenlet", state->greenlet_type) < 0 ||
        add(module, "UnswitchableGreenlet", state->unswitchable_type) < 0 || add(module, "error", state->error) < 0 ||
        add(module, "GreenletExit", state->greenlet_exit) < 0 ||
        PyModule_AddIntConstant(module, "GREENLET_USE_GC", 1) < 0 ||
        PyModule_AddIntConstant(module, "GREENLET_USE_TRACING", 1) < 0 ||
        PyModule_AddIntConstant(module, "GREENLET_USE_CONTEXT_VARS", 1) < 0 ||
        PyModule_AddIntConstant(module, "GREENLET_USE_STANDARD_THREADING", 1) < 0 ||
        PyModule_AddIntConstant(module, "CLOCKS_PER_SEC", CLOCKS_PER_SEC) < 0) {
        return -1;
    }
    if (interpreter::counts_trash_nesting && PyModule_AddFunctions(module, trash_nesting_function) < 0) {
        return -1;
    }
    if (!publish_on_type(module, state->greenlet_type)) {
        return -1;
    }
    if (generators::add_to(module, *state) < 0 || aio::add_to(module, *state) < 0 ||
        stackless::add_to(module, *state) < 0 || inspect::add_to(module) < 0) {
        return -1;
    }
    Reference c_api = Reference::steal(make_c_api(*state));
    return c_api ? add(module, "_C_API", c_api.get()) : -1;
}

// When memory runs out, CPython up to 3.13 may fail to make a type without setting an exception.
void explain_failure() noexcept {
    if (!PyErr_Occurred()) {
        PyErr_NoMemory();
    }
}

// A switch would end the process.
bool check_shadow_stack() noexcept {
    if (stackful::has_shadow_stack()) {
        PyErr_SetString(PyExc_ImportError,
                        "greenlets can't be used in a process with a shadow stack (Intel CET or Arm GCS): start it "
                        "without glibc.cpu.x86_shstk or glibc.cpu.aarch64_gcs in GLIBC_TUNABLES");
        return false;
    }
    return true;
}

// The state is made first, because tools may find the module and call its functions while it is being imported.
PyObject* create(PyObject* spec, PyModuleDef*) {
    if (!check_shadow_stack()) {
        return nullptr;
    }
    if (ensure_state() == nullptr) {
        explain_failure();
        return nullptr;
    }
    Reference name = Reference::steal(PyObject_GetAttrString(spec, "name"));
    return name ? PyModule_NewObject(name.get()) : nullptr;
}

int execute(PyObject* module) {
    int result = fill(module);
    if (result < 0) {
        explain_failure();
    }
    return result;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_create, reinterpret_cast<void*>(create)},
    {Py_mod_exec, reinterpret_cast<void*>(execute)},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, nullptr},
};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    "greenlet._greenlet",
    "Greenlets: see the package greenlet.",
    0,
    functions,
    slots,
    nullptr,
    nullptr,
    nullptr,
};

}  // namespace

}  // namespace module

PyMODINIT_FUNC PyInit__greenlet() { return PyModuleDef_Init(&module::definition); }
