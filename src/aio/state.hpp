// What one interpreter has of this layer.

#pragma once

#include "core/layer.hpp"
#include "interpreter/threading/shared_value.hpp"

namespace aio {

struct State {
    PyTypeObject* coroutine_type;
    PyTypeObject* iterator_type;
    PyTypeObject* function_type;
    PyObject* await_function;  // await_()
    PyObject* name_throw;      // interned strings
    PyObject* name_close;
    PyObject* name_asyncio;
    interpreter::SharedValue<PyObject*> running_loop;  // asyncio's functions, once it is imported, or None
    interpreter::SharedValue<PyObject*> current_task;
    interpreter::SharedValue<PyObject*> current_tasks;  // asyncio's dictionary of current tasks, by event loop

    ~State() {
        Py_XDECREF(coroutine_type);
        Py_XDECREF(iterator_type);
        Py_XDECREF(function_type);
        for (PyObject* object : {await_function, name_throw, name_close, name_asyncio, running_loop.get(),
                                 current_task.get(), current_tasks.get()}) {
            Py_XDECREF(object);
        }
    }
};

inline constexpr core::Layer<State> layer{1};

}  // namespace aio
