// What one interpreter has of this package: its types and exceptions. Nothing mutable is shared between interpreters.

#pragma once

#include <atomic>
#include <cstddef>
#include <ctime>

#include "interpreter/allocation.hpp"
#include "interpreter/state.hpp"
#include "interpreter/threading/shared_count.hpp"
#include "interpreter/threading/shared_value.hpp"

namespace core {

// A record that a layer above core keeps for each interpreter (core/layer.hpp), and the function that releases it.
struct LayerRecord {
    void* record;  // owned; nullptr before the layer has made it
    void (*release)(void* record) noexcept;
};

// Room for so many layers.
inline constexpr unsigned layer_count = 3;

// What the module gives core to fill a new ModuleState with: functions, because core does not know the module.
struct ModuleParts {
    PyObject* (*make_greenlet_type)() noexcept;
    PyObject* (*make_unswitchable_type)(PyObject* greenlet_type) noexcept;
    void (*interpreter_ends)(const struct ModuleState& state) noexcept;  // called before the interpreter drops its state
};

struct ModuleState {
    interpreter::SharedCount owners{1};  // the interpreter, and each thread that has greenlets
    const ModuleParts* parts;
    PyTypeObject* greenlet_type;
    PyTypeObject* unswitchable_type;
    PyObject* error;          // greenlet.error
    PyObject* greenlet_exit;  // greenlet.GreenletExit
    PyObject* garbage_exit;   // what ends garbage: a GreenletExit that is a SystemExit as well
    PyObject* no_arguments;   // ()
    PyObject* restart_events; // see interpreter/frames/frames.hpp
    interpreter::LinkLooks link_looks;
    PyObject* name_run;       // interned strings, to the end
    PyObject* event_switch;
    PyObject* event_throw;
    PyObject* thread_key;  // of a thread's record in the dictionary of its thread state
    interpreter::SharedValue<bool> collects_at_end{true};       // garbage, when threads end
    interpreter::SharedValue<std::clock_t> cleanup_clocks{0};  // spent on that
    interpreter::SharedValue<Py_ssize_t> main_greenlets{0};    // that exist
    std::atomic<std::size_t> parent_changes;  // so often was a parent set
    interpreter::SpareObjects spare_greenlets;

    LayerRecord layers[layer_count];  // of the layers above core, by number

    // Of the running interpreter: borrowed, or nullptr if the module was never imported in it (with an exception).
    static ModuleState* of_interpreter() noexcept;

    // Does the running interpreter have one? False with an exception if memory ran out.
    static bool has_interpreter() noexcept;

    // Makes one for the running interpreter, which then owns it. nullptr with an exception if that fails.
    static ModuleState* create(const ModuleParts& parts) noexcept;

    void unref() noexcept;  // by an owner that needs it no longer

private:
    bool fill(const ModuleParts& parts) noexcept;
    static void interpreter_ends(PyObject* capsule) noexcept;
};

// Makes what an earlier import did not, because memory ran out. False with an exception if it does again.
template <class Object, class Make>
bool ensure(Object*& place, Make make) noexcept {
    return place != nullptr || (place = make()) != nullptr;
}

}  // namespace core
