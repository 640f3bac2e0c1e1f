#include "aio/task.hpp"

#include <utility>

#include "aio/state.hpp"
#include "core/reference.hpp"
#include "interpreter/asyncio_task.hpp"
#include "interpreter/pending_exception.hpp"

namespace aio {

namespace {

using core::Reference;

// Stores the object permanently, unless another thread has stored one first.
void set(interpreter::SharedValue<PyObject*>& place, Reference object) {
    if (place.replace(nullptr, object.get())) {
        object.release();
    }
}

// Finds asyncio's functions; None stands for a missing one. False if asyncio is not imported yet.
bool find_functions(State& state) {
    interpreter::PendingException in_flight;
    Reference module = Reference::steal(PyImport_GetModule(state.name_asyncio));
    if (!module) {
        PyErr_Clear();
        return false;
    }
    Reference running_loop = Reference::steal(PyObject_GetAttrString(module.get(), "_get_running_loop"));
    Reference current_task = Reference::steal(PyObject_GetAttrString(module.get(), "current_task"));
    Reference current_tasks = Reference::steal(PyObject_GetAttrString(module.get(), "_current_tasks"));
    PyErr_Clear();
    if (current_tasks && PyDict_CheckExact(current_tasks.get())) {
        set(state.current_tasks, std::move(current_tasks));
    }
    set(state.running_loop, running_loop ? std::move(running_loop) : Reference::borrow(Py_None));
    set(state.current_task, current_task ? std::move(current_task) : Reference::borrow(Py_None));
    return true;
}

}  // namespace

const void* running_task(core::Thread& thread) noexcept {
    if (interpreter::knows_asyncio_task) {
        return interpreter::asyncio_task(thread.thread_state);
    }
    State& state = layer.of(*thread.module);
    if (!interpreter::has_eager_asyncio_tasks || (state.current_task.get() == nullptr && !find_functions(state))) {
        return nullptr;
    }
    if (state.current_task.get() == Py_None || state.running_loop.get() == Py_None) {
        return nullptr;
    }
    Reference loop = Reference::steal(PyObject_CallNoArgs(state.running_loop));
    if (!loop || loop.get() == Py_None) {
        PyErr_Clear();
        return nullptr;
    }
    Reference task = Reference::steal(PyObject_CallOneArg(state.current_task, loop.get()));
    PyErr_Clear();
    return task.get();
}

Answer is_running_task(core::Thread& thread, const void* task) noexcept {
    // A task that runs in its loop runs in the loop's thread, which is also its portal's.
    PyObject* current_tasks = layer.of(*thread.module).current_tasks;
    if (!interpreter::knows_asyncio_task && task != nullptr && current_tasks != nullptr &&
        interpreter::is_among_first_values(current_tasks, task)) {
        return Answer::yes;
    }
    if (running_task(thread) != task) {
        return Answer::no;
    }
    bool has_called = interpreter::has_eager_asyncio_tasks && !interpreter::knows_asyncio_task;
    return has_called ? Answer::yes_after_calls : Answer::yes;
}

bool replace_coroutine(PyObject* task, PyTypeObject* task_class, PyObject* from, PyObject* to) noexcept {
    if (!PyObject_TypeCheck(task, task_class)) {
        return false;
    }
    auto** fields = reinterpret_cast<PyObject**>(task);
    auto count = static_cast<std::size_t>(task_class->tp_basicsize) / sizeof(PyObject*);
    PyObject** place = nullptr;
    for (std::size_t i = sizeof(PyObject) / sizeof(PyObject*); i < count; ++i) {
        if (fields[i] == from) {
            if (place != nullptr) {
                return false;
            }
            place = &fields[i];
        }
    }
    if (place == nullptr) {
        return false;
    }
    *place = Py_NewRef(to);
    Py_DECREF(from);
    return true;
}

}  // namespace aio
