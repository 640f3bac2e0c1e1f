#include "generators/generators.hpp"

#include "core/coroutine/coroutine.hpp"
#include "core/reference.hpp"
#include "generators/function.hpp"
#include "generators/object.hpp"
#include "generators/state.hpp"
#include "interpreter/frames/early_release.hpp"
#include "python/arguments.hpp"
#include "python/define.hpp"

namespace generators {

namespace {

PyDoc_STRVAR(yield_doc,
"yield_(value=None, /)\n--\n\n"
"Suspend the innermost running generator, and pass a value to whoever iterates over it.\n\n"
"It may be called at any depth: by the function that generator() decorates, by the functions that\n"
"it calls, also through C code, and in greenlets whose parents lead to the generator.\n\n"
"Parameters:\n"
"    value: what next() or send() of the generator returns.\n"
"Returns:\n"
"    What the generator is resumed with: the argument of send(), None for next().\n"
"Raises:\n"
"    RuntimeError: no generator is running, or it was not resumed through its methods.\n"
"    GeneratorExit: the generator is being closed.\n"
"    Whatever is thrown into the generator.");

PyObject* yield(PyObject*, PyObject* const* args, Py_ssize_t count) {
    if (!python::check_count("yield_", count, 0, 1)) {
        return nullptr;
    }
    core::Thread* thread = core::Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    core::Coroutine* generator = core::running_coroutine(*thread, generator_kind, false);
    if (generator == nullptr) {
        PyErr_SetString(PyExc_RuntimeError,
                        "yield_() outside of a running generator: only a function decorated with "
                        "greenlet.generators.generator, and what it calls, can yield");
        return nullptr;
    }
    PyObject* value = count == 1 ? interpreter::take_argument(thread->thread_state, args, python::as_method(yield))
                                 : Py_NewRef(Py_None);
    return core::yield_value(*generator, *thread, value, {args, count, nullptr});
}

PyMethodDef functions[] = {
    {"yield_", python::as_method(yield), METH_FASTCALL, yield_doc},
    {},
};

}  // namespace

int add_to(PyObject* module, core::ModuleState& module_state) noexcept {
    State* state = layer.ensure(module_state);
    if (state == nullptr || !core::ensure(state->generator_type, make_generator_type) ||
        !core::ensure(state->function_type, make_function_type)) {
        return -1;
    }
    using core::Reference;
    Reference names = Reference::steal(python::add_namespace(module, "generators", "greenlet.generators", functions));
    bool is_complete = names && PyModule_AddType(names.get(), state->generator_type) == 0 &&
                       PyModule_AddType(names.get(), state->function_type) == 0;
    return is_complete ? 0 : -1;
}

}  // namespace generators
