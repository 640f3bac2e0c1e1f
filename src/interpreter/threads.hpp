// The threads of the running interpreter.

#pragma once

#include "interpreter/state.hpp"

namespace interpreter {

// Calls `visit(identifier)` for each thread, the newest first.
template <class Visit>
void for_each_thread(Visit visit) {
    PyThreadState* ts = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    for (; ts != nullptr; ts = PyThreadState_Next(ts)) {
        visit(ts->thread_id);
    }
}

}  // namespace interpreter
