// greenlet.aio: ordinary functions that wait for awaitables, in the event loop that runs them.

#pragma once

#include "core/layer.hpp"
#include "interpreter/threading/shared_value.hpp"

namespace aio {

// This layer's state in an interpreter.
struct State {
    PyTypeObject* coroutine_type;
    PyTypeObject* iterator_type;
    PyTypeObject* function_type;
    PyObject* await_function;  // await_()
    PyObject* name_throw;      // interned strings
    PyObject* name_close;
    PyObject* name_asyncio;
    interpreter::SharedValue<PyObject*> running_loop;  // of asyncio, once that is imported
    interpreter::SharedValue<PyObject*> current_task;
    interpreter::SharedValue<PyObject*> current_tasks;  // asyncio's dictionary of current tasks, by event loop

    ~State();
};

inline constexpr core::Layer<State> layer{1};

// Adds this layer to the module greenlet._greenlet. 0, or -1 with an exception.
int add_to(PyObject* module, core::ModuleState& state) noexcept;

}  // namespace aio
