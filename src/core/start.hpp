// How a greenlet starts: find its `run`, lay out a stack, call `run` on that.

#pragma once

#include "core/message.hpp"
#include "core/reference.hpp"
#include "core/thread.hpp"
#include "core/transfer.hpp"

namespace core {

// What a new greenlet starts with. It lies on the stack of the greenlet that starts it, which does not run until the
// new one has taken it over.
struct Start {
    Thread* thread = nullptr;
    Message message;
    Reference run;
    Reference many_arguments;  // a tuple that owns message.arguments, if they don't fit or the caller does not own them
    Reference keyword_names;   // owns message.keyword_names, if the caller does not
};

enum class Preparation { ready, failed, already_started };

// Prepares the start of an unstarted greenlet that the thread may switch to. `failed`: with an exception, and the
// greenlet is unchanged.
Preparation prepare_start(Thread& thread, PyGreenlet* g, const Message& message, Start& start);

// Switches to a greenlet that was prepared.
inline PyObject* launch(Thread& thread, Reference target, Start& start, interpreter::CallInProgress call) {
    thread.current->pimpl->activation->await(as_greenlet(target.get())->pimpl->coroutine);
    return suspend(thread, std::move(target), start, call);
}

}  // namespace core
