// What this package has in one interpreter: types, exceptions, names. Interpreters share nothing that changes.

#pragma once

#include <atomic>
#include <cstddef>
#include <ctime>

#include "core/observer.hpp"
#include "interpreter/allocation.hpp"
#include "interpreter/state.hpp"
#include "interpreter/threading/shared_count.hpp"
#include "interpreter/threading/shared_value.hpp"

namespace core {

struct Activation;

// A record that a layer above core keeps for each interpreter (core/layer.hpp), and the function that releases it.
struct LayerRecord {
    void* record;  // owned; nullptr before the layer has made it
    void (*release)(void* record) noexcept;
};

// How many layers above core there can be.
inline constexpr unsigned layer_count = 4;

// The functions with which the module fills a new ModuleState. They are passed to core, which does not know the module.
struct ModuleParts {
    PyObject* (*make_greenlet_type)() noexcept;
    PyObject* (*make_unswitchable_type)(PyObject* greenlet_type) noexcept;
    void (*interpreter_ends)(const struct ModuleState& state) noexcept;
};

struct ModuleState {
    interpreter::SharedCount owners{1};  // the interpreter, and each thread with greenlets
    const ModuleParts* parts;
    PyTypeObject* greenlet_type;
    PyTypeObject* unswitchable_type;
    PyObject* error;           // greenlet.error
    PyObject* greenlet_exit;   // greenlet.GreenletExit
    PyObject* garbage_exit;    // a GreenletExit and SystemExit, which ends greenlets that are garbage
    PyObject* no_arguments;    // ()
    PyObject* restart_events;  // sys.monitoring.restart_events(), or None
    interpreter::LinkLooks link_looks;
    PyObject* name_run;  // interned strings, like the next two
    PyObject* event_switch;
    PyObject* event_throw;
    PyObject* thread_key;                              // the key of the Thread in the dictionary of its thread state
    interpreter::SharedValue<int> collects_at_end{1};  // not 0: an ending thread runs the garbage collector
    interpreter::SharedValue<std::clock_t> cleanup_clocks{0};  // the time these collections took
    interpreter::SharedValue<Py_ssize_t> main_greenlets{0};    // how many there are
    std::atomic<std::size_t> parent_changes;                   // how often a parent was set
    interpreter::SpareObjects spare_greenlets;
    std::atomic<SwitchHook> switch_hook;  // nullptr: none. ThreadList sets it

    // What a greenlet runs for the program, if a layer above core runs a function of its own in it: a new reference.
    // nullptr, without an exception, for others. The pointer is nullptr until a layer has such greenlets.
    PyObject* (*find_function)(const ModuleState& state, const Activation& activation) noexcept;

    LayerRecord layers[layer_count];  // of the layers above core, by number

    // The running interpreter's state: borrowed. nullptr with an exception if the interpreter never imported the
    // module.
    static ModuleState* of_interpreter() noexcept;

    // True if the running interpreter has a ModuleState. False with an exception if memory ran out.
    static bool has_interpreter() noexcept;

    // Makes the running interpreter's state, which the interpreter owns. nullptr with an exception.
    static ModuleState* create(const ModuleParts& parts) noexcept;

    // Removes one owner. The state is freed when none is left.
    void unref() noexcept;

private:
    bool fill(const ModuleParts& parts) noexcept;
    static void interpreter_ends(PyObject* capsule) noexcept;
};

// Makes an object unless an earlier import did. False with an exception.
template <class Object, class Make>
bool ensure(Object*& place, Make make) noexcept {
    return place != nullptr || (place = make()) != nullptr;
}

}  // namespace core
