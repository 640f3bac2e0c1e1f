// How a greenlet begins: what it will run is looked for, a stack is laid out, and the function is called on it.

#pragma once

#include "core/message.hpp"
#include "core/reference.hpp"
#include "core/thread.hpp"
#include "core/transfer.hpp"

namespace core {

// What a new greenlet is given to start with. Lies on the stack of the one that starts it, which does not run until the new
// one has taken it over.
struct Start {
    Thread* thread = nullptr;
    Message message;
    Reference run;
    Reference many_arguments;  // a tuple that owns message.arguments, if there are more than fit, or the caller does not
    Reference keyword_names;   // owns message.keyword_names, if they were not the caller's
};

enum class Preparation { ready, failed, already_started };

// Gets an unstarted greenlet, one that the thread may switch to, ready for it. `failed`: with an exception, and the greenlet
// as it was.
Preparation prepare_start(Thread& thread, PyGreenlet* g, const Message& message, Start& start);

// Switches to one that was prepared.
inline PyObject* launch(Thread& thread, Reference target, Start& start, interpreter::CallInProgress call) {
    thread.current->pimpl->activation->awaited = as_greenlet(target.get())->pimpl->coroutine;
    return resume(thread, std::move(target), &start, call);
}

}  // namespace core
