// greenlet._greenlet: what import makes, once an interpreter.
//
// The state lives with the interpreter and not with the module object, so that a module that is deleted and imported
// again has the same classes: greenlets of the old ones may still be there.

#include <new>
#include <type_traits>

#include "aio/aio.hpp"
#include "core/overflow.hpp"
#include "core/reference.hpp"
#include "core/settings.hpp"
#include "core/thread.hpp"
#include "generators/generators.hpp"
#include "interpreter/frames/frames.hpp"
#include "interpreter/pending_exception.hpp"
#include "module/module.hpp"
#include "stackless/state.hpp"

namespace core {

namespace {

constexpr const char* state_name = "greenlet._greenlet.state";

void interpreter_ends(PyObject* capsule) {
    auto* state = static_cast<ModuleState*>(PyCapsule_GetPointer(capsule, state_name));
    module::leave_c_api(*state);
    state->unref();
}

// The capsule with the running interpreter's state: borrowed. nullptr without an exception if there is none, with one if
// memory ran out.
PyObject* find_capsule() noexcept {
    PyObject* dict = PyInterpreterState_GetDict(PyInterpreterState_Get());  // borrowed
    Reference name = Reference::steal(dict != nullptr ? PyUnicode_FromString(state_name) : nullptr);
    return name ? PyDict_GetItemWithError(dict, name.get()) : nullptr;
}

// Event loops swallow what their callbacks raise, all but KeyboardInterrupt and SystemExit. One that swallowed its own end,
// as garbage, would wait for events that can't come, in the middle of a collection or at the end of its thread.
PyObject* make_garbage_exit(PyObject* greenlet_exit) noexcept {
    Reference bases = Reference::steal(PyTuple_Pack(2, greenlet_exit, PyExc_SystemExit));
    return bases ? PyErr_NewExceptionWithDoc("greenlet._greenlet.GarbageExit",
                                             "The GreenletExit that ends a greenlet which is garbage.", bases.get(), nullptr)
                 : nullptr;
}

}  // namespace

ModuleState* ModuleState::of_interpreter() noexcept {
    interpreter::PendingException in_flight;
    PyObject* capsule = find_capsule();
    if (capsule == nullptr) {
        in_flight.discard();
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_RuntimeError, "greenlet was not imported, or the interpreter has ended");
        }
        return nullptr;
    }
    return static_cast<ModuleState*>(PyCapsule_GetPointer(capsule, state_name));
}

bool ModuleState::has_interpreter() noexcept { return find_capsule() != nullptr; }

// One after the other, until one fails: CPython makes nothing while there is an exception.
bool ModuleState::fill() noexcept {
    auto is_made = [](auto*& place, PyObject* made) {
        place = reinterpret_cast<std::remove_reference_t<decltype(place)>>(made);
        return made != nullptr;
    };
    return is_made(greenlet_type, module::make_greenlet_type()) &&
           is_made(unswitchable_type, module::make_unswitchable_type(reinterpret_cast<PyObject*>(greenlet_type))) &&
           is_made(error, PyErr_NewExceptionWithDoc("greenlet.error", "A switch that is not possible.", nullptr, nullptr)) &&
           is_made(greenlet_exit, PyErr_NewExceptionWithDoc(
                                      "greenlet.GreenletExit",
                                      "Thrown into a greenlet to end it. If it is not caught the greenlet finishes, with the "
                                      "exception as its result.",
                                      PyExc_BaseException, nullptr)) &&
           is_made(garbage_exit, make_garbage_exit(greenlet_exit)) && is_made(no_arguments, PyTuple_New(0)) &&
           is_made(restart_events, interpreter::find_restart_events()) && link_looks.make(interpreter::current_thread_state()) &&
           is_made(name_run, PyUnicode_InternFromString("run")) &&
           is_made(event_switch, PyUnicode_InternFromString("switch")) &&
           is_made(event_throw, PyUnicode_InternFromString("throw")) &&
           is_made(thread_key, PyUnicode_InternFromString("greenlet._greenlet.thread"));
}

ModuleState* ModuleState::create() noexcept {
    if (!interpreter::prepare()) {
        return nullptr;
    }
    auto* state = new (std::nothrow) ModuleState{};
    if (state == nullptr) {
        PyErr_NoMemory();
        return nullptr;
    }
    Reference capsule = Reference::steal(PyCapsule_New(state, state_name, interpreter_ends));
    if (!capsule) {
        delete state;
        return nullptr;
    }
    PyObject* dict = PyInterpreterState_GetDict(PyInterpreterState_Get());
    if (!state->fill() || dict == nullptr || PyDict_SetItemString(dict, state_name, capsule.get()) < 0) {
        return nullptr;
    }
    return state;
}

void ModuleState::unref() noexcept {
    if (!owners.remove()) {
        return;
    }
    Py_XDECREF(greenlet_type);
    Py_XDECREF(unswitchable_type);
    generators::release(*this);
    aio::release(*this);
    Py_XDECREF(error);
    Py_XDECREF(greenlet_exit);
    Py_XDECREF(garbage_exit);
    Py_XDECREF(no_arguments);
    Py_XDECREF(restart_events);
    link_looks.clear();
    Py_XDECREF(name_run);
    Py_XDECREF(event_switch);
    Py_XDECREF(event_throw);
    Py_XDECREF(thread_key);
    stackless::release(stackless);
    delete this;
}

}  // namespace core

namespace module {

namespace {

using core::ModuleState;
using core::Reference;

// Names that are attributes of the class too: greenlet.greenlet.getcurrent() and so on.
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

// The interpreter's state, made by the first import. nullptr with an exception.
ModuleState* ensure_state() noexcept {
    bool first_import = !ModuleState::has_interpreter();
    if (PyErr_Occurred()) {
        return nullptr;
    }
    return first_import ? ModuleState::create() : ModuleState::of_interpreter();
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
        stackless::add_to(module, *state) < 0) {
        return -1;
    }
    Reference c_api = Reference::steal(make_c_api(*state));
    return c_api ? add(module, "_C_API", c_api.get()) : -1;
}

// CPython up to 3.13 makes no type when memory runs out, and may not say why.
void explain_failure() noexcept {
    if (!PyErr_Occurred()) {
        PyErr_NoMemory();
    }
}

// The functions of the module work as soon as anybody can find it: tools look at modules while they are being imported.
PyObject* create(PyObject* spec, PyModuleDef*) {
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
    PyModuleDef_HEAD_INIT, "greenlet._greenlet", "Greenlets: see the package greenlet.", 0, functions, slots, nullptr,
    nullptr, nullptr,
};

}  // namespace

}  // namespace module

PyMODINIT_FUNC PyInit__greenlet() { return PyModuleDef_Init(&module::definition); }
