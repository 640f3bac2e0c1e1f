// Switching: from one greenlet of a thread to another, passing a value or an exception.
//
// The path of one switch, from Python to the registers and back:
//
//     module/greenlet_type.cpp    greenlet_switch     greenlet.switch(...) as CPython calls it
//     core/switching.cpp          switch_to           if it is no plain switch: which greenlet is really meant; starts it if need be
//     core/switching.cpp          transfer            a plain switch comes here at once
//     core/switching.cpp          resume              the other greenlet becomes the current one
//     core/switching.cpp          exchange            the only place where stacks are exchanged
//     interpreter/state.hpp       State::exchange     this greenlet's part of the thread state out, the other's in
//     stackful/context.hpp        switch_to           tools are told
//     stackful/arch/x86_64.S      stackful_switch     registers out, registers in
//     core/switching.cpp          resumed             on the other stack
//     core/switching.cpp          arrive              the other greenlet: traces, drops the reference to where it came from
//
// tests/test_documented_paths.py checks that these are there.
//
// An exception crosses in the thread state, where CPython keeps the one in flight; the value is nullptr then.

#pragma once

#include "core/greenlet.hpp"
#include "core/reference.hpp"
#include "core/thread.hpp"

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

    interpreter::CallSite call_site() const noexcept { return {arguments, positional, keyword_names}; }

    static Message exception() noexcept {
        Message message;
        message.is_exception = true;
        return message;
    }
};

// What a greenlet that is resumed with a message gets as result of its switch(): a new reference, or nullptr with the
// exception in flight. May run code: names of arguments have a hash.
PyObject* as_value(const Message& message, ModuleState& module) noexcept;

// Switches to `g`, or to the first of its parents that has not finished, starting it if it has not begun. Returns what the
// caller is resumed with: a new reference, or nullptr with an exception. Raises greenlet.error in the caller if `g`
// belongs to another thread, MemoryError if there is no memory for a stack.
PyObject* switch_to(PyGreenlet* g, const Message& message) noexcept;

// The same, when the arguments of the call in progress are not those of the message. The reference is let go of before the switch.
PyObject* switch_to(Reference target, const Message& message, interpreter::CallSite call_site) noexcept;

// Raises the exception in flight in `g`. Like switch_to(), but GreenletExit for a finished one becomes the result.
PyObject* throw_in_flight(PyGreenlet* g) noexcept;

// The switch to a suspended greenlet of the same thread that is not the current one. Takes over the value.
PyObject* transfer(Thread& thread, PyGreenlet* target, PyObject* value, interpreter::CallSite call_site) noexcept;

// The same, and takes over the reference to the target too.
PyObject* transfer_reference(Thread& thread, PyGreenlet* target, PyObject* value,
                             interpreter::CallSite call_site) noexcept;

// The same, for callers that return its result without more ado, and have different callers themselves: see
// core/transfer_x86_64.S.
#ifdef GREENLET_TRANSFER_JUMPING
extern "C" PyObject* core_transfer_jumping(Thread& thread, PyGreenlet* target, PyObject* value,
                                           interpreter::CallSite call_site) noexcept;
#else
inline PyObject* core_transfer_jumping(Thread& thread, PyGreenlet* target, PyObject* value,
                                       interpreter::CallSite call_site) noexcept {
    return transfer_reference(thread, target, value, call_site);
}
#endif

// Has an active greenlet end that nobody references any more. In its own thread: throws GreenletExit into it; what else it
// raises is reported as unraisable, and the exception in flight is kept. In another thread, or if the thread postpones kills:
// leaves it to its own; if that has ended, abandons it. `condemned`: it is garbage, to which there may be references left,
// and gets a GreenletExit that event loops let pass.
void kill(PyGreenlet* g, bool condemned) noexcept;

// Is an active greenlet another thread's, or must it not be killed now for another reason?
bool must_be_killed_later(PyGreenlet* g) noexcept;

// Is it a suspended greenlet of the running thread, and nothing to do but to switch?
inline bool is_plain_switch(PyGreenlet* g) noexcept {
    Greenlet& target = *g->pimpl;
    return target.activation != nullptr &&
           interpreter::is_running(target.thread->thread_state) && target.thread->current != g &&
           !target.thread->has_obstacles();
}

}  // namespace core
