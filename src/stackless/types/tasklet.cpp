// The life of a tasklet object: creation, garbage collection, finalization and deallocation.

#include <cstddef>
#include <utility>

#include "core/reference.hpp"
#include "interpreter/collector.hpp"
#include "interpreter/pending_exception.hpp"
#include "interpreter/thread_state.hpp"
#include "python/define.hpp"
#include "stackless/active.hpp"
#include "stackless/describe.hpp"
#include "stackless/operations.hpp"
#include "stackless/ownership.hpp"
#include "stackless/types/tasklet.hpp"
#include "stackless/types/types.hpp"

#include <structmember.h>  // after Python.h

namespace stackless {

using core::Reference;
using interpreter::Holding;

namespace {

PyObject* tasklet_new(PyTypeObject* type, PyObject*, PyObject*) {
    Scheduler* s = Scheduler::running();
    return s != nullptr ? as_object(make_tasklet(type, *s)) : nullptr;
}

int tasklet_init(PyObject* self, PyObject* args, PyObject* kwargs) {
    if (kwargs == nullptr && PyTuple_GET_SIZE(args) == 1) [[likely]] {
        return bind(tasklet_of(self), none_to_null(PyTuple_GET_ITEM(args, 0)), nullptr, nullptr) ? 0 : -1;
    }
    PyObject* values[3] = {};
    bool is_bound = parse_binding(args, kwargs, "|OOO:tasklet", values) &&
                    bind(tasklet_of(self), values[0], values[1], values[2]);
    return is_bound ? 0 : -1;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
    Tasklet& t = tasklet_of(self);
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(t.greenlet);
    Py_VISIT(t.outcome.get());
    Py_VISIT(t.function);
    Py_VISIT(t.arguments);
    Py_VISIT(t.keywords);
    Py_VISIT(t.context);
    for (PyObject* function : t.hooks.functions) {
        Py_VISIT(function);
    }
    return 0;
}

int clear(PyObject* self) {
    Tasklet& t = tasklet_of(self);
    if (t.is_active || t.chain == Chain::runnable) {
        return 0;  // it survived being killed, or was made runnable meanwhile
    }
    exchange_greenlet(&t, nullptr);
    unbind(&t);
    clear_hooks(t.hooks);
    return 0;
}

// Lets a tasklet survive its finalizer: its greenlet owns it again. If `is_to_be_killed`, its thread kills it later.
void resurrect(Tasklet& t, bool is_to_be_killed) noexcept {
    Holding lock(tasklets_lock);
    if (t.suspension != Suspension::unowned) {
        return;
    }
    restore_ownership(&t);
    Reference first = Reference::borrow(has_stack(&t) ? core::as_object(t.first_greenlet) : nullptr);
    lock.release();
    interpreter::expect_finalizer(as_object(&t));
    if (first && is_to_be_killed) {
        PyGreenlet* g = core::as_greenlet(first.get());
        if (g->pimpl->thread->kill_later(g, true)) {
            first.release();
        }
    }
}

// Kills an unreferenced tasklet, so that its `finally` blocks run.
void finalize(PyObject* self) {
    Tasklet& t = tasklet_of(self);
    if (!t.is_active || t.is_main) {
        return;
    }
    Scheduler* s = !interpreter::is_finalizing() ? own_scheduler(t) : nullptr;
    if (s == nullptr || s->is_switching() || s->thread->is_on_own_stack()) {
        if (t.suspension == Suspension::unowned && !interpreter::is_finalizing() && has_ended_thread(t)) {
            end_without_running(t);
        }
        // The greenlet is killed in its thread as soon as that is possible.
        resurrect(t, !interpreter::is_finalizing() && (s == nullptr || !s->thread->is_on_own_stack()));
        return;
    }
    interpreter::PendingException in_flight;
    long trap = std::exchange(s->switch_trap, 0);
    for (int round = 0; round < 10 && t.is_active && s->current != &t; ++round) {
        Reference done = Reference::steal(kill(t, false));
        if (!done) {
            PyErr_WriteUnraisable(self);
        }
    }
    s->switch_trap += trap;
    resurrect(t, false);
}

void deallocate(PyObject* self) {
    Tasklet& t = tasklet_of(self);
    // An instance of a Python class has been finalized already; if it survived that, its greenlet owns it.
    if (t.suspension == Suspension::unowned && PyObject_CallFinalizerFromDealloc(self) < 0) {
        interpreter::expect_finalizer(self);
        return;
    }
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, deallocate);
    if (t.weak_references != nullptr) {
        PyObject_ClearWeakRefs(self);
    }
    if (t.is_active && !t.is_main) {
        remove_active(*t.scheduler, &t);  // its greenlet was abandoned
    }
    Py_CLEAR(t.greenlet);
    unbind(&t);
    clear_hooks(t.hooks);
    Py_XDECREF(as_object(t.scheduler.get()));
    python::free_instance(self);
    Py_TRASHCAN_END;
}

PyDoc_STRVAR(tasklet_doc,
"tasklet(func=None, args=None, kwargs=None)\n--\n\n"
"A function that the scheduler of the thread runs in turn with other tasklets.\n\n"
"tasklet(func)(*args, **kwargs) creates a tasklet and schedules it; run() then calls func(*args, **kwargs).\n\n"
"Parameters:\n"
"    func, args, kwargs: see bind().");

PyMemberDef offsets[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Tasklet, weak_references), READONLY, nullptr},
    {},
};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>(tasklet_doc)},
    {Py_tp_new, reinterpret_cast<void*>(tasklet_new)},
    {Py_tp_init, reinterpret_cast<void*>(tasklet_init)},
    {Py_tp_repr, reinterpret_cast<void*>(repr_of_tasklet)},
    {Py_tp_call, reinterpret_cast<void*>(tasklet_setup)},
    {Py_tp_dealloc, reinterpret_cast<void*>(deallocate)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(clear)},
    {Py_tp_finalize, reinterpret_cast<void*>(finalize)},
    {Py_tp_methods, tasklet_methods},
    {Py_tp_getset, tasklet_attributes},
    {Py_tp_members, offsets},
    {0, nullptr},
};

PyType_Spec spec = {
    "greenlet.stackless.tasklet",
    sizeof(Tasklet),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    slots,
};

}  // namespace

PyObject* make_tasklet_type() noexcept { return PyType_FromSpec(&spec); }

}  // namespace stackless
