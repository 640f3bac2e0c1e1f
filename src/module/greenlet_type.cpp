// The class greenlet.greenlet: what CPython calls, and the arguments it calls with.

#include <cstddef>
#include <utility>

#include "core/collect.hpp"
#include "core/create.hpp"
#include "core/describe.hpp"
#include "core/kill.hpp"
#include "core/parent.hpp"
#include "core/raise.hpp"
#include "core/reference.hpp"
#include "core/switch.hpp"
#include "core/transfer.hpp"
#include "interpreter/allocation.hpp"
#include "interpreter/frames/frames.hpp"
#include "interpreter/threading/lock.hpp"
#include "interpreter/static_type.hpp"
#include "module/module.hpp"

#include <structmember.h>  // after Python.h

namespace module {

using core::as_greenlet;
using core::as_object;
using core::Greenlet;
using core::Message;
using core::ModuleState;
using core::Phase;
using core::Reference;
using core::Thread;

namespace {

Greenlet& of(PyObject* self) noexcept { return *as_greenlet(self)->pimpl; }

// --- creation --------------------------------------------------------------------------------------------------------

PyObject* greenlet_new(PyTypeObject* type, PyObject*, PyObject*) {
    Thread* thread = Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    thread->run_kill_queue();
    return as_object(core::create(type, *thread));
}

int greenlet_init(PyObject* self, PyObject* args, PyObject* kwargs) {
    static const char* names[] = {"run", "parent", nullptr};
    PyObject* run = nullptr;
    PyObject* parent = nullptr;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:greenlet", const_cast<char**>(names), &run, &parent)) {
        return -1;
    }
    if (as_greenlet(self)->pimpl == nullptr) {
        PyErr_Format(PyExc_TypeError, "%s.__new__() must call greenlet.__new__()", Py_TYPE(self)->tp_name);
        return -1;
    }
    return initialize(self, run, parent);
}

// Leaves it to the common parser to say what is wrong with the arguments of a call.
[[gnu::cold]] int initialize_unusual(PyObject* self, PyObject* const* args, Py_ssize_t positional, PyObject* names) {
    Py_ssize_t named = names != nullptr ? PyTuple_GET_SIZE(names) : 0;
    Reference tuple = Reference::steal(PyTuple_New(positional));
    Reference dict = Reference::steal(PyDict_New());
    if (!tuple || !dict) {
        return -1;
    }
    for (Py_ssize_t i = 0; i < positional; ++i) {
        PyTuple_SET_ITEM(tuple.get(), i, Py_NewRef(args[i]));
    }
    for (Py_ssize_t i = 0; i < named; ++i) {
        if (PyDict_SetItem(dict.get(), PyTuple_GET_ITEM(names, i), args[positional + i]) < 0) {
            return -1;
        }
    }
    return greenlet_init(self, tuple.get(), dict.get());
}

// greenlet.greenlet(...), without a tuple of the arguments. Not inherited by subclasses, whose __init__ must be called.
PyObject* greenlet_vectorcall(PyObject* type, PyObject* const* args, std::size_t flagged_count, PyObject* names) {
    Py_ssize_t positional = PyVectorcall_NARGS(flagged_count);
    Py_ssize_t named = names != nullptr ? PyTuple_GET_SIZE(names) : 0;
    PyObject* values[2] = {nullptr, nullptr};
    bool usual = positional + named <= 2;
    if (usual && positional > 0) {
        values[0] = args[0];
        values[1] = positional > 1 ? args[1] : nullptr;
    }
    for (Py_ssize_t i = 0; usual && i < named; ++i) {
        PyObject* name = PyTuple_GET_ITEM(names, i);
        int place = PyUnicode_CompareWithASCIIString(name, "run") == 0      ? 0
                    : PyUnicode_CompareWithASCIIString(name, "parent") == 0 ? 1
                                                                            : -1;
        usual = place >= 0 && values[place] == nullptr;
        if (usual) {
            values[place] = args[positional + i];
        }
    }
    PyObject* self = greenlet_new(reinterpret_cast<PyTypeObject*>(type), nullptr, nullptr);
    if (self == nullptr) {
        return nullptr;
    }
    int failed = usual ? initialize(self, values[0], values[1]) : initialize_unusual(self, args, positional, names);
    if (failed != 0) {
        Py_DECREF(self);
        return nullptr;
    }
    return self;
}

// --- switch and throw ------------------------------------------------------------------------------------------------

PyDoc_STRVAR(switch_doc,
"switch($self, /, *args, **kwargs)\n--\n\n"
"Switch to this greenlet, and suspend the current one.\n\n"
"The first switch to a greenlet starts it: it calls run(*args, **kwargs). A later one\n"
"resumes it: the call of switch() that suspended it returns there what is passed here,\n"
"which is () for nothing, the argument if it is a single positional one, the tuple of several,\n"
"the dict of keyword arguments alone, or (args, kwargs) for both. Switching to a greenlet that has\n"
"finished switches to its parent instead; switching to the current one returns at once.\n\n"
"Returns:\n"
"    What the current greenlet is resumed with, by the same rules; the result of a child's\n"
"    run if that child finished.\n"
"Raises:\n"
"    greenlet.error: the greenlet belongs to another thread, or to one that has ended.\n"
"    AttributeError: it is to be started, and has no run.\n"
"    MemoryError: it is to be started, and there is no memory for its stack.\n"
"    Whatever is thrown into the current greenlet, or is raised by a child.");

// With arguments from which a value has to be made, to a greenlet for which a plain switch will do.
[[gnu::noinline]] PyObject* switch_with(PyGreenlet* g, const Message& message) {
    Thread& thread = *g->pimpl->thread;
    PyObject* value = core::as_value(message, *thread.module);
    if (value == nullptr) {
        return nullptr;
    }
    if (!core::is_plain_switch(g)) [[unlikely]] {  // any more
        Py_DECREF(value);
        return core::switch_to(g, message);
    }
    return core::transfer(thread, g, value, message.call());
}

PyObject* greenlet_switch(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* names) {
    PyGreenlet* g = as_greenlet(self);
    if (!core::is_plain_switch(g)) {
        return core::switch_to(g, Message{args, count, names});
    }
    // What most switches are takes the shortest way, without a Message.
    if (count <= 1 && names == nullptr) [[likely]] {
        Thread& thread = *g->pimpl->thread;
        PyObject* value = Py_NewRef(count == 1 ? args[0] : thread.module->no_arguments);
        return core::transfer(thread, g, value, {args, count, nullptr});
    }
    return switch_with(g, Message{args, count, names});
}

PyDoc_STRVAR(throw_doc,
"throw($self, /, *exception)\n--\n\n"
"Switch to this greenlet, and raise an exception there.\n\n"
"A greenlet that was never started finishes at once with the exception. One that has\n"
"finished passes it to its parent, except for GreenletExit, which is returned.\n\n"
"Parameters, as throw([typ[, val[, tb]]]):\n"
"    typ: a class of exceptions, or an exception. The default is GreenletExit.\n"
"    val: what to make the exception with, or one of that class; None if typ is an exception.\n"
"    tb: the traceback to begin with, or None.\n"
"Returns:\n"
"    What the current greenlet is resumed with; see switch().\n"
"Raises:\n"
"    TypeError: the arguments are not of these kinds. The greenlet is left alone.\n"
"    What switch() raises.");

PyObject* greenlet_throw(PyObject* self, PyObject* const* args, Py_ssize_t count) {
    if (count > 3) {
        PyErr_Format(PyExc_TypeError, "throw() takes at most 3 arguments (%zd given)", count);
        return nullptr;
    }
    return throw_into(self, count > 0 ? args[0] : nullptr, count > 1 ? args[1] : nullptr, count > 2 ? args[2] : nullptr);
}

// --- attributes ------------------------------------------------------------------------------------------------------

PyObject* get_dict(PyObject* self, void*) {
    interpreter::CollectorPaused paused;  // or else a destructor could set one meanwhile
    interpreter::SharedReference dict(self, as_greenlet(self)->dict);
    PyObject* value = dict.get();
    if (value == nullptr) {
        dict.exchange(PyDict_New());
        value = dict.get();
    }
    return value;
}

int set_dict(PyObject* self, PyObject* value, void*) {
    if (value == nullptr || !PyDict_Check(value)) {
        PyErr_SetString(PyExc_TypeError,
                        value == nullptr ? "__dict__ may not be deleted" : "__dict__ must be a dictionary");
        return -1;
    }
    PyObject* old = interpreter::SharedReference(self, as_greenlet(self)->dict).exchange(Py_NewRef(value));
    Py_XDECREF(old);
    return 0;
}

PyObject* get_run(PyObject* self, void*) {
    if (of(self).is_main) {
        PyErr_SetString(PyExc_AttributeError, "Main greenlets do not have a run attribute.");
        return nullptr;
    }
    interpreter::SharedReference attribute(self, of(self).run);  // under whose lock it is started
    bool has_begun = of(self).phase != Phase::unstarted;
    PyObject* run = has_begun ? nullptr : attribute.get();
    if (run == nullptr && has_begun) {
        PyErr_SetString(PyExc_AttributeError, "run: a greenlet has none any more once it has started");
    }
    else if (run == nullptr) {
        PyErr_Format(PyExc_AttributeError,
                     "run: this %s has none. Pass a function when it is made, as in %s(function), set the attribute, or define a "
                     "method run() in the class",
                     Py_TYPE(self)->tp_name, Py_TYPE(self)->tp_name);
    }
    return run;
}

int set_run(PyObject* self, PyObject* value, void*) {
    if (of(self).is_main) {
        PyErr_SetString(PyExc_AttributeError, "Main greenlets do not have a run attribute.");
        return -1;
    }
    Reference old;
    {
        interpreter::SharedReference attribute(self, of(self).run);  // under whose lock it is started
        if (of(self).phase == Phase::unstarted) {
            old = Reference::steal(attribute.exchange(Py_XNewRef(value)));
            return 0;
        }
    }
    PyErr_SetString(PyExc_AttributeError, "run cannot be set after the start of the greenlet");
    return -1;
}

PyObject* get_parent(PyObject* self, void*) {
    PyObject* parent = core::get_parent(as_greenlet(self));
    return parent != nullptr ? parent : Py_NewRef(Py_None);
}

int set_parent(PyObject* self, PyObject* value, void*) { return core::set_parent(as_greenlet(self), value); }

// A suspended greenlet has its state in its activation.
bool is_suspended(PyObject* self) noexcept {
    return of(self).activation != nullptr && of(self).thread->current != as_greenlet(self);
}

bool shows_frames(PyObject* self) noexcept { return core::shows_frames(as_greenlet(self)); }

PyObject* get_frame(PyObject* self, void*) {
    PyFrameObject* frame = nullptr;
    interpreter::ObjectLock lock(self);  // if its thread has ended, another one may abandon it
    if (is_suspended(self) && shows_frames(self)) {
        frame = interpreter::innermost_frame_object(interpreter::current_thread_state(), of(self).activation->state);
    }
    if (frame == nullptr && PyErr_Occurred()) {
        return nullptr;
    }
    return frame != nullptr ? reinterpret_cast<PyObject*>(frame) : Py_NewRef(Py_None);
}

// Where the context is of a greenlet that does not run.
PyObject*& suspended_context(PyObject* self) noexcept {
    return is_suspended(self) ? of(self).activation->state.context : of(self).context;
}

// Lets `use` read or change the context of a greenlet that does not run. False if it runs, or if another thread could resume
// it meanwhile.
template <class Use>
bool with_suspended_context(PyObject* self, Use use) noexcept {
    {
        interpreter::ObjectLock lock(self);
        if (of(self).activation == nullptr || (is_suspended(self) && shows_frames(self))) {
            return use(suspended_context(self)), true;
        }
    }
    if (interpreter::OthersStopped::is_possible && !shows_frames(self)) {
        [[maybe_unused]] interpreter::OthersStopped stopped;
        if (of(self).activation == nullptr || is_suspended(self)) {
            return use(suspended_context(self)), true;
        }
    }
    return false;
}

// Is the greenlet that runs one of this thread? Otherwise a ValueError.
bool runs_here(PyObject* self, const char* in_another_thread) noexcept {
    if (of(self).thread->thread_state == interpreter::current_thread_state()) {
        return true;
    }
    PyErr_SetString(PyExc_ValueError, in_another_thread);
    return false;
}

PyObject* get_context(PyObject* self, void*) {
    PyObject* context = nullptr;
    if (!with_suspended_context(self, [&](PyObject*& place) { context = Py_XNewRef(place); })) {
        if (!runs_here(self, "cannot get context of a greenlet that is running in a different thread")) {
            return nullptr;
        }
        context = Py_XNewRef(interpreter::running_context(interpreter::current_thread_state()));
    }
    return context != nullptr ? context : Py_NewRef(Py_None);
}

int set_context(PyObject* self, PyObject* value, void*) {
    if (value == nullptr) {
        PyErr_SetString(PyExc_AttributeError, "can't delete context attribute");
        return -1;
    }
    if (value != Py_None && !PyContext_CheckExact(value)) {
        PyErr_SetString(PyExc_TypeError, "greenlet context must be a contextvars.Context or None");
        return -1;
    }
    PyObject* context = value != Py_None ? Py_NewRef(value) : nullptr;
    if (!with_suspended_context(self, [&](PyObject*& place) { std::swap(place, context); })) {
        if (!runs_here(self, "cannot set context of a greenlet that is running in a different thread")) {
            Py_XDECREF(context);
            return -1;
        }
        context = interpreter::exchange_running_context(interpreter::current_thread_state(), context);
    }
    Py_XDECREF(context);  // the one that it had before
    return 0;
}

PyObject* get_dead(PyObject* self, void*) {
    if (of(self).phase == Phase::active && core::is_of_ended_thread(as_greenlet(self))) {
        Reference held = Reference::borrow(self);
        core::abandon(as_greenlet(self));
    }
    return PyBool_FromLong(of(self).phase == Phase::finished);
}

PyObject* get_stack_saved(PyObject* self, void*) {
    interpreter::ObjectLock lock(self);
    if (!is_suspended(self) || !shows_frames(self)) {
        return PyLong_FromLong(0);
    }
    return PyLong_FromSize_t(core::stack_bytes_in_use(as_greenlet(self)));
}

int greenlet_bool(PyObject* self) { return of(self).phase == Phase::active; }

// It begins as the reference has it.
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
        return PyUnicode_FromFormat("<%s object at %p (otid=%p) pending%U>", type_name, self, core::thread_of(as_greenlet(self)),
                                    work.get());
    }
    // "current" means in the thread that asks; to others even the running greenlet of a thread is not.
    bool current = of(self).thread->current == as_greenlet(self) &&
                   of(self).thread->thread_state == interpreter::current_thread_state();
    return PyUnicode_FromFormat("<%s object at %p (otid=%p) %s active started%s%U>", type_name, self, of(self).thread.get(),
                                current ? "current" : "suspended", of(self).is_main ? " main" : "", work.get());
}

PyObject* greenlet_getstate(PyObject* self, PyObject*) {
    PyErr_Format(PyExc_TypeError, "cannot serialize '%s' object", Py_TYPE(self)->tp_name);
    return nullptr;
}

PyDoc_STRVAR(greenlet_doc,
"greenlet(run=None, parent=None)\n--\n\n"
"A function with a stack of its own, which can switch to the other greenlets of its thread.\n\n"
"Parameters:\n"
"    run: the callable that the first switch calls. A subclass may have a method of that name instead.\n"
"    parent: the greenlet that goes on when this one finishes, with the result of run, or the\n"
"        exception it raised; the current greenlet if None. GreenletExit is not passed on but returned.\n"
"Raises:\n"
"    TypeError: parent is no greenlet.\n\n"
"True in a boolean context while it is active: started, and not finished.");

PyMethodDef methods[] = {
    {"switch", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(greenlet_switch)),
     METH_FASTCALL | METH_KEYWORDS, switch_doc},
    {"throw", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(greenlet_throw)), METH_FASTCALL, throw_doc},
    {"__getstate__", greenlet_getstate, METH_NOARGS, nullptr},
    {},
};

PyGetSetDef attributes[] = {
    {"__dict__", get_dict, set_dict, nullptr, nullptr},
    {"run", get_run, set_run, "The callable that the first switch calls. Gone once that has happened.", nullptr},
    {"parent", get_parent, set_parent, "The greenlet that goes on when this one finishes; None for a main greenlet.",
     nullptr},
    {"gr_frame", get_frame, nullptr, "The innermost frame of a suspended greenlet, else None.", nullptr},
    {"gr_context", get_context, set_context, "The contextvars.Context that the greenlet runs in, or None.", nullptr},
    {"dead", get_dead, nullptr, "Has it finished, or did its thread end?", nullptr},
    {"_stack_saved", get_stack_saved, nullptr, "Bytes of C stack in use while suspended, else 0.", nullptr},
    {},
};

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
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_members, offsets},
    {0, nullptr},
};

PyType_Spec spec = {
    "greenlet.greenlet",
    sizeof(PyGreenlet),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    slots,
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

int initialize(PyObject* self, PyObject* run, PyObject* parent) noexcept {
    if (run != nullptr && set_run(self, run, nullptr) < 0) {
        return -1;
    }
    return parent != nullptr && parent != Py_None ? set_parent(self, parent, nullptr) : 0;
}

PyObject* throw_into(PyObject* self, PyObject* type, PyObject* value, PyObject* traceback) noexcept {
    Thread* thread = Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    type = type != nullptr ? type : thread->module->greenlet_exit;
    if (!core::raise(type, value, traceback)) {
        return nullptr;
    }
    return core::throw_in_flight(as_greenlet(self));
}

}  // namespace module
