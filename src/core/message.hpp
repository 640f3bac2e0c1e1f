// What one greenlet passes to another.

#pragma once

#include "core/greenlet.hpp"

namespace core {

// What is passed to a greenlet: arguments as vectorcall has them, or an exception that is in flight.
struct Message {
    PyObject* const* arguments = nullptr;  // borrowed from the caller, who keeps them until the switch returns
    Py_ssize_t positional = 0;
    PyObject* keyword_names = nullptr;  // tuple of str, whose values follow the positional arguments, or nullptr
    PyObject* keywords = nullptr;       // dict, or nullptr: another way to give them
    bool is_exception = false;
    bool gives_arguments = false;  // to a greenlet that is started: takes over the references, and leaves nullptr in their places
    bool is_exit = false;  // a GreenletExit that became a result: whoever is started by it gets no arguments

    interpreter::CallInProgress call() const noexcept { return {arguments, positional, keyword_names}; }

    static Message exception() noexcept {
        Message message;
        message.is_exception = true;
        return message;
    }
};

// What a greenlet that is resumed with a message gets as result of its switch(): a new reference, or nullptr with the
// exception in flight. May run code: names of arguments have a hash.
PyObject* as_value(const Message& message, ModuleState& module) noexcept;

}  // namespace core
