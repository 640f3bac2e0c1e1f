// The state belongs to the interpreter, not to the module object: a module that is deleted and imported again has the
// same classes, of which greenlets may exist.

#include "core/module_state.hpp"

#include <type_traits>

#include "core/reference.hpp"
#include "interpreter/frames/monitoring.hpp"
#include "interpreter/pending_exception.hpp"
#include "interpreter/prepare.hpp"
#include "interpreter/thread_state.hpp"
#include "stackful/heap.hpp"

namespace core {

namespace {

constexpr const char* state_name = "greenlet._greenlet.state";

// The capsule with the running interpreter's state: borrowed. nullptr without an exception if there is none, with
// MemoryError otherwise.
PyObject* find_capsule() noexcept {
    PyObject* dict = PyInterpreterState_GetDict(PyInterpreterState_Get());  // borrowed
    Reference name = Reference::steal(dict != nullptr ? PyUnicode_FromString(state_name) : nullptr);
    return name ? PyDict_GetItemWithError(dict, name.get()) : nullptr;
}

PyObject* make_error() noexcept {
    return PyErr_NewExceptionWithDoc("greenlet.error", "A switch that is not possible.", nullptr, nullptr);
}

PyObject* make_greenlet_exit() noexcept {
    return PyErr_NewExceptionWithDoc("greenlet.GreenletExit",
                                     "Thrown into a greenlet to end it. If it is not caught the greenlet finishes, "
                                     "with the exception as its result.",
                                     PyExc_BaseException, nullptr);
}

// Event loops swallow all exceptions of their callbacks but KeyboardInterrupt and SystemExit. A loop that is garbage
// and swallowed its own GreenletExit would wait, in the middle of a collection, for events that can't come.
PyObject* make_garbage_exit(PyObject* greenlet_exit) noexcept {
    Reference bases = Reference::steal(PyTuple_Pack(2, greenlet_exit, PyExc_SystemExit));
    const char* documentation = "The GreenletExit that ends a greenlet which is garbage.";
    return bases ? PyErr_NewExceptionWithDoc("greenlet._greenlet.GarbageExit", documentation, bases.get(), nullptr)
                 : nullptr;
}

}  // namespace

void ModuleState::interpreter_ends(PyObject* capsule) noexcept {
    auto* state = static_cast<ModuleState*>(PyCapsule_GetPointer(capsule, state_name));
    state->parts->interpreter_ends(*state);
    state->unref();
}

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

// Stops at the first failure: CPython can't make objects while an exception is set.
bool ModuleState::fill(const ModuleParts& parts) noexcept {
    auto is_made = [](auto*& place, PyObject* made) {
        place = reinterpret_cast<std::remove_reference_t<decltype(place)>>(made);
        return made != nullptr;
    };
    return is_made(greenlet_type, parts.make_greenlet_type()) &&
           is_made(unswitchable_type, parts.make_unswitchable_type(reinterpret_cast<PyObject*>(greenlet_type))) &&
           is_made(error, make_error()) && is_made(greenlet_exit, make_greenlet_exit()) &&
           is_made(garbage_exit, make_garbage_exit(greenlet_exit)) && is_made(no_arguments, PyTuple_New(0)) &&
           is_made(restart_events, interpreter::find_restart_events()) &&
           link_looks.make(interpreter::current_thread_state()) &&
           is_made(name_run, PyUnicode_InternFromString("run")) &&
           is_made(event_switch, PyUnicode_InternFromString("switch")) &&
           is_made(event_throw, PyUnicode_InternFromString("throw")) &&
           is_made(thread_key, PyUnicode_InternFromString("greenlet._greenlet.thread"));
}

ModuleState* ModuleState::create(const ModuleParts& parts) noexcept {
    if (!interpreter::prepare()) {
        return nullptr;
    }
    auto* state = new (stackful::heap) ModuleState{};
    if (state == nullptr) {
        PyErr_NoMemory();
        return nullptr;
    }
    state->parts = &parts;
    Reference capsule = Reference::steal(PyCapsule_New(state, state_name, interpreter_ends));
    if (!capsule) {
        stackful::destroy(state);
        return nullptr;
    }
    PyObject* dict = PyInterpreterState_GetDict(PyInterpreterState_Get());
    if (!state->fill(parts) || dict == nullptr || PyDict_SetItemString(dict, state_name, capsule.get()) < 0) {
        return nullptr;
    }
    return state;
}

void ModuleState::unref() noexcept {
    if (!owners.remove()) {
        return;
    }
    for (const LayerRecord& layer : layers) {
        if (layer.record != nullptr) {
            layer.release(layer.record);
        }
    }
    Py_XDECREF(greenlet_type);
    Py_XDECREF(unswitchable_type);
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
    stackful::destroy(this);
}

}  // namespace core
