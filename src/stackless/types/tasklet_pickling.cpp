// Pickling and copying tasklets.

#include "core/reference.hpp"
#include "stackless/operations.hpp"
#include "stackless/types/tasklet.hpp"

namespace stackless {

using core::Reference;
using interpreter::Holding;

PyObject* tasklet_reduce(PyObject* self, PyObject*) {
    Tasklet& t = tasklet_of(self);
    Holding lock(tasklets_lock);
    bool is_active = t.is_active;
    bool is_runnable = t.chain == Chain::runnable;
    Reference function = Reference::borrow(t.function);
    Reference arguments = Reference::borrow(t.arguments);
    Reference keywords = Reference::borrow(t.keywords);
    lock.release();
    if (is_active) {
        PyErr_SetString(
            PyExc_NotImplementedError,
            "a tasklet that has begun to run can't be pickled: it has a C stack, which only means something "
            "in this process");
        return nullptr;
    }
    auto or_none = [](const Reference& object) { return object ? object.get() : Py_None; };
    auto truth = [](bool flag) { return flag ? Py_True : Py_False; };
    return Py_BuildValue("O()(OOOOOOO)", Py_TYPE(self), or_none(function), or_none(arguments), or_none(keywords),
                         truth(t.atomic), truth(t.block_trap), truth(t.ignore_nesting), truth(is_runnable));
}

PyObject* tasklet_setstate(PyObject* self, PyObject* state) {
    Tasklet& t = tasklet_of(self);
    PyObject *function, *arguments, *keywords;
    int atomic, block_trap, ignore_nesting, scheduled;
    if (!PyTuple_Check(state)) {
        PyErr_SetString(PyExc_TypeError, "the state of a tasklet is a tuple");
        return nullptr;
    }
    if (!PyArg_ParseTuple(state, "OOOpppp:__setstate__", &function, &arguments, &keywords, &atomic, &block_trap,
                          &ignore_nesting, &scheduled) ||
        !bind(t, none_to_null(function), none_to_null(arguments), none_to_null(keywords))) {
        return nullptr;
    }
    t.atomic = atomic;
    t.block_trap = block_trap;
    t.ignore_nesting = ignore_nesting;
    return !scheduled || insert(t) ? Py_NewRef(self) : nullptr;
}

}  // namespace stackless
