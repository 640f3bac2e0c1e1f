#include "aio/aio.hpp"

#include <utility>

#include "aio/function.hpp"
#include "aio/functions.hpp"
#include "aio/iterator.hpp"
#include "aio/object.hpp"
#include "aio/state.hpp"
#include "core/reference.hpp"
#include "python/define.hpp"

namespace aio {

using core::ModuleState;
using core::Reference;

namespace {

bool fill(State& state) noexcept {
    return core::ensure(state.coroutine_type, make_coroutine_type) &&
           core::ensure(state.iterator_type, make_iterator_type) &&
           core::ensure(state.function_type, make_function_type) &&
           core::ensure(state.name_throw, [] { return PyUnicode_InternFromString("throw"); }) &&
           core::ensure(state.name_close, [] { return PyUnicode_InternFromString("close"); }) &&
           core::ensure(state.name_asyncio, [] { return PyUnicode_InternFromString("_asyncio"); });
}

bool add_coroutine_function(ModuleState& module_state, PyObject* names, const char* name, vectorcallfunc call) {
    Reference function = Reference::steal(make_function(module_state, name, call));
    return function && PyObject_SetAttrString(names, name, function.get()) == 0;
}

}  // namespace

int add_to(PyObject* module, ModuleState& module_state) noexcept {
    State* state = layer.ensure(module_state);
    if (state == nullptr || !fill(*state)) {
        return -1;
    }
    Reference names = Reference::steal(python::add_namespace(module, "aio", "greenlet.aio", functions));
    if (!names || PyModule_AddType(names.get(), state->coroutine_type) < 0 ||
        !add_coroutine_function(module_state, names.get(), "run", run) ||
        !add_coroutine_function(module_state, names.get(), "portal", portal)) {
        return -1;
    }
    Reference await_function = Reference::steal(PyObject_GetAttrString(names.get(), "await_"));
    if (!await_function) {
        return -1;
    }
    PyObject* old = std::exchange(state->await_function, await_function.release());
    Py_XDECREF(old);
    return 0;
}

}  // namespace aio
