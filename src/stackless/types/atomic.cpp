// The class atomic.

#include <utility>

#include "python/define.hpp"
#include "stackless/run.hpp"
#include "stackless/types/types.hpp"

namespace stackless {

using python::as_method;

namespace {

struct Atomic {
    PyObject_HEAD
    bool before;  // the tasklet's flag
};

PyObject* atomic_enter(PyObject* self, PyObject*) {
    Scheduler* s = Scheduler::running();
    if (s == nullptr) {
        return nullptr;
    }
    reinterpret_cast<Atomic*>(self)->before = std::exchange(s->current->atomic, true);
    Py_RETURN_NONE;
}

PyObject* atomic_exit(PyObject* self, PyObject* const*, Py_ssize_t) {
    Scheduler* s = Scheduler::running();
    if (s == nullptr) {
        return nullptr;
    }
    s->current->atomic = reinterpret_cast<Atomic*>(self)->before;
    if (!s->current->atomic && !interrupt_if_due(*s)) {
        return nullptr;
    }
    Py_RETURN_NONE;
}

void atomic_deallocate(PyObject* self) { python::free_instance(self); }

PyDoc_STRVAR(atomic_doc,
"atomic()\n--\n\n"
"A context manager. In it the watchdog of run(timeout) does not interrupt the current tasklet.");

PyMethodDef atomic_methods[] = {
    {"__enter__", atomic_enter, METH_NOARGS, nullptr},
    {"__exit__", as_method(atomic_exit), METH_FASTCALL, nullptr},
    {},
};

PyType_Slot atomic_slots[] = {
    {Py_tp_doc, const_cast<char*>(atomic_doc)},
    {Py_tp_dealloc, reinterpret_cast<void*>(atomic_deallocate)},
    {Py_tp_methods, atomic_methods},
    {0, nullptr},
};

PyType_Spec atomic_spec = {"greenlet.stackless.atomic", sizeof(Atomic), 0, Py_TPFLAGS_DEFAULT, atomic_slots};

}  // namespace

PyObject* make_atomic_type() noexcept { return PyType_FromSpec(&atomic_spec); }

}  // namespace stackless
