// The class greenlet.greenlet: its slots and flags.

#include <cstddef>

#include "core/collect.hpp"
#include "core/describe.hpp"
#include "core/parent.hpp"
#include "core/reference.hpp"
#include "interpreter/static_type.hpp"
#include "interpreter/thread_state.hpp"
#include "interpreter/threading/threads.hpp"
#include "module/greenlet/parts.hpp"
#include "module/parts.hpp"

#include <structmember.h>  // after Python.h

namespace module {

using core::as_greenlet;
using core::Phase;
using core::Reference;

namespace {

int greenlet_bool(PyObject* self) { return of(self).phase == Phase::active; }

// Up to the state, the text is that of the reference implementation.
PyObject* greenlet_repr(PyObject* self) {
    const char* type_name = Py_TYPE(self)->tp_name;
    bool ended = core::is_of_ended_thread(as_greenlet(self));
    if (of(self).phase == Phase::finished || ended) {
        return PyUnicode_FromFormat("<%s object at %p (otid=%p) %sdead>", type_name, self, of(self).thread.get(),
                                    ended ? "(thread exited) " : "");
    }
    Reference work = core::work_of(as_greenlet(self));
    if (!work) {
        return nullptr;
    }
    if (of(self).phase == Phase::unstarted) {
        return PyUnicode_FromFormat("<%s object at %p (otid=%p) pending%U>", type_name, self,
                                    core::thread_of(as_greenlet(self)), work.get());
    }
    // Only the calling thread's running greenlet is "current".
    bool current = of(self).thread->current == as_greenlet(self) &&
                   of(self).thread->thread_state == interpreter::current_thread_state();
    return PyUnicode_FromFormat("<%s object at %p (otid=%p) %s active started%s%U>", type_name, self,
                                of(self).thread.get(), current ? "current" : "suspended",
                                core::is_main(as_greenlet(self)) ? " main" : "", work.get());
}

PyDoc_STRVAR(greenlet_doc,
"greenlet(run=None, parent=None)\n--\n\n"
"A function that runs on its own stack, and can switch to the other greenlets of its thread.\n\n"
"Parameters:\n"
"    run: the callable that the first switch calls. A subclass may have a method of that name instead.\n"
"    parent: the greenlet that is resumed when this one finishes, with the result of run, or the exception\n"
"        that run raised; a GreenletExit is returned instead of raised. None means the current greenlet.\n"
"Raises:\n"
"    TypeError: parent is not a greenlet.\n\n"
"A greenlet is true while it is active: started, and not finished.");

PyMemberDef offsets[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(PyGreenlet, weakreflist), READONLY, nullptr},
    {"__dictoffset__", T_PYSSIZET, offsetof(PyGreenlet, dict), READONLY, nullptr},
    {},
};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>(greenlet_doc)},
    {Py_tp_new, reinterpret_cast<void*>(greenlet_new)},
    {Py_tp_init, reinterpret_cast<void*>(greenlet_init)},
    {Py_tp_dealloc, reinterpret_cast<void*>(core::deallocate)},
    {Py_tp_traverse, reinterpret_cast<void*>(core::traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(core::clear)},
    {Py_tp_finalize, reinterpret_cast<void*>(core::finalize)},
    {Py_tp_repr, reinterpret_cast<void*>(greenlet_repr)},
    {Py_nb_bool, reinterpret_cast<void*>(greenlet_bool)},
    {Py_tp_methods, greenlet_methods},
    {Py_tp_getset, greenlet_attributes},
    {Py_tp_members, offsets},
    {0, nullptr},
};

PyType_Spec spec = {
    "greenlet.greenlet", sizeof(PyGreenlet), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots,
};

}  // namespace

PyObject* make_greenlet_type() noexcept {
    auto* type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
    if (type != nullptr) {
        type->tp_vectorcall = greenlet_vectorcall;
        if (interpreter::is_main_interpreter()) {
            interpreter::make_static(type);
        }
    }
    return reinterpret_cast<PyObject*>(type);
}

}  // namespace module
