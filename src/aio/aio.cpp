#include "aio/aio.hpp"

#include <utility>

#include "aio/function.hpp"
#include "aio/functions.hpp"
#include "aio/iterator.hpp"
#include "aio/object.hpp"
#include "core/reference.hpp"
#include "python/define.hpp"

namespace aio {

using core::ModuleState;
using core::Reference;

namespace {

bool add_coroutine_function(ModuleState& state, PyObject* names, const char* name, vectorcallfunc call) {
    Reference function = Reference::steal(make_function(state, name, call));
    return function && PyObject_SetAttrString(names, name, function.get()) == 0;
}

}  // namespace

int add_to(PyObject* module, ModuleState& state) noexcept {
    State* made = layer.ensure(state);
    if (made == nullptr) {
        return -1;
    }
    State& own = *made;
    bool complete = core::ensure(own.coroutine_type, make_coroutine_type) &&
                    core::ensure(own.iterator_type, make_iterator_type) &&
                    core::ensure(own.function_type, make_function_type) &&
                    core::ensure(own.name_throw, [] { return PyUnicode_InternFromString("throw"); }) &&
                    core::ensure(own.name_close, [] { return PyUnicode_InternFromString("close"); }) &&
                    core::ensure(own.name_asyncio, [] { return PyUnicode_InternFromString("_asyncio"); });
    Reference names = Reference::steal(complete ? python::add_namespace(module, "aio", "greenlet.aio", functions)
                                                : nullptr);
    if (!names || PyModule_AddType(names.get(), own.coroutine_type) < 0 ||
        !add_coroutine_function(state, names.get(), "run", run) ||
        !add_coroutine_function(state, names.get(), "portal", portal)) {
        return -1;
    }
    Reference await_function = Reference::steal(PyObject_GetAttrString(names.get(), "await_"));
    if (!await_function) {
        return -1;
    }
    PyObject* old = std::exchange(own.await_function, await_function.release());
    Py_XDECREF(old);
    return 0;
}

State::~State() {
    Py_XDECREF(coroutine_type);
    Py_XDECREF(iterator_type);
    Py_XDECREF(function_type);
    Py_XDECREF(await_function);
    Py_XDECREF(name_throw);
    Py_XDECREF(name_close);
    Py_XDECREF(name_asyncio);
    Py_XDECREF(running_loop.get());
    Py_XDECREF(current_task.get());
    Py_XDECREF(current_tasks.get());
}

}  // namespace aio
