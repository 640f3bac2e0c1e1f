// What one greenlet passes to another.

#pragma once

#include "core/greenlet.hpp"

namespace core {

// Arguments as vectorcall passes them, or the exception in flight.
struct Message {
    PyObject* const* arguments = nullptr;  // borrowed; the caller owns them until the switch returns
    Py_ssize_t positional = 0;
    PyObject* keyword_names = nullptr;  // a tuple of str, whose values follow the positional arguments; or nullptr
    PyObject* keywords = nullptr;       // a dict in place of names and their values; or nullptr
    bool is_exception = false;
    bool gives_arguments = false;  // a started greenlet takes the references over, and leaves nullptr in their places
    bool is_exit = false;          // a GreenletExit that became a result: a greenlet that it starts gets no arguments

    interpreter::CallInProgress call() const noexcept { return {arguments, positional, keyword_names}; }

    static Message exception() noexcept {
        Message message;
        message.is_exception = true;
        return message;
    }
};

// What switch() returns in a greenlet that is resumed with a message: a new reference, or nullptr with the exception in
// flight. May run code of the program: the hash of keyword names.
PyObject* as_value(const Message& message, ModuleState& module) noexcept;

}  // namespace core
