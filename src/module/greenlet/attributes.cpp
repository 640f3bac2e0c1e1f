// The attributes of greenlets.

#include <utility>

#include "core/describe.hpp"
#include "core/kill.hpp"
#include "core/parent.hpp"
#include "core/reference.hpp"
#include "interpreter/collector.hpp"
#include "interpreter/context.hpp"
#include "interpreter/frames/frame_object.hpp"
#include "interpreter/thread_state.hpp"
#include "interpreter/threading/lock.hpp"
#include "module/greenlet/parts.hpp"

namespace module {

using core::as_greenlet;
using core::Phase;
using core::Reference;

namespace {

PyObject* get_dict(PyObject* self, void*) {
    interpreter::CollectorPaused paused;  // otherwise a destructor could set the attribute meanwhile
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
    if (core::is_main(as_greenlet(self))) {
        PyErr_SetString(PyExc_AttributeError, "Main greenlets do not have a run attribute.");
        return nullptr;
    }
    interpreter::SharedReference attribute(self, of(self).run);  // starting the greenlet takes the same lock
    bool has_begun = of(self).phase != Phase::unstarted;
    PyObject* run = has_begun ? nullptr : attribute.get();
    if (run == nullptr && has_begun) {
        PyErr_SetString(PyExc_AttributeError, "run: a greenlet no longer has one once it has started");
    }
    else if (run == nullptr) {
        PyErr_Format(PyExc_AttributeError,
                     "run: this %s has none. Pass a function when it is made, as in %s(function), set the attribute, "
                     "or define a method run() in the class",
                     Py_TYPE(self)->tp_name, Py_TYPE(self)->tp_name);
    }
    return run;
}

}  // namespace

int set_run(PyObject* self, PyObject* value, void*) {
    if (core::is_main(as_greenlet(self))) {
        PyErr_SetString(PyExc_AttributeError, "Main greenlets do not have a run attribute.");
        return -1;
    }
    Reference old;
    {
        interpreter::SharedReference attribute(self, of(self).run);  // starting the greenlet takes the same lock
        if (of(self).phase == Phase::unstarted) {
            old = Reference::steal(attribute.exchange(Py_XNewRef(value)));
            return 0;
        }
    }
    PyErr_SetString(PyExc_AttributeError, "run cannot be set after the start of the greenlet");
    return -1;
}

namespace {

PyObject* get_parent(PyObject* self, void*) {
    PyObject* parent = core::get_parent(as_greenlet(self));
    return parent != nullptr ? parent : Py_NewRef(Py_None);
}

}  // namespace

int set_parent(PyObject* self, PyObject* value, void*) { return core::set_parent(as_greenlet(self), value); }

namespace {

// True if the greenlet's state is in its activation.
bool is_suspended(PyObject* self) noexcept {
    return of(self).activation != nullptr && of(self).thread->current != as_greenlet(self);
}

bool shows_frames(PyObject* self) noexcept { return core::shows_frames(as_greenlet(self)); }

// Fetches the greenlet whose frames are likely shown next. Programs mostly walk their greenlets in the order in which
// they were started, or in the reverse one. Without a GIL other threads may change the list, so nothing is fetched.
void prefetch_next_shown([[maybe_unused]] core::Thread* thread,
                         [[maybe_unused]] const core::Activation& shown) noexcept {
    if constexpr (interpreter::stops_others_to_traverse) {
        bool is_in_order = thread->last_shown == shown.next;
        thread->last_shown = &shown;
        if (const core::Activation* next = is_in_order ? shown.previous : shown.next) {
            core::prefetch(next);
        }
    }
}

PyObject* get_frame(PyObject* self, void*) {
    PyFrameObject* frame = nullptr;
    interpreter::ObjectLock lock(self);  // if its thread has ended, another one may abandon it
    if (is_suspended(self) && shows_frames(self)) {
        const core::Activation& activation = *of(self).activation;
        prefetch_next_shown(of(self).thread, activation);
        frame = interpreter::innermost_frame_object(interpreter::current_thread_state(), activation.state);
    }
    if (frame == nullptr && PyErr_Occurred()) {
        return nullptr;
    }
    return frame != nullptr ? reinterpret_cast<PyObject*>(frame) : Py_NewRef(Py_None);
}

// The place of the context of a greenlet that is not running.
PyObject*& suspended_context(PyObject* self) noexcept {
    return is_suspended(self) ? of(self).activation->state.context : of(self).context;
}

// Lets `use` read or change the context of a greenlet that is not running. False if it is running, or if another thread
// could resume it meanwhile.
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

// True if a running greenlet belongs to this thread. False with a ValueError.
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
    Py_XDECREF(context);  // now the previous one
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

}  // namespace

PyGetSetDef greenlet_attributes[] = {
    {"__dict__", get_dict, set_dict, nullptr, nullptr},
    {"run", get_run, set_run, "The callable that the first switch calls. The attribute is gone after that.", nullptr},
    {"parent", get_parent, set_parent, "The greenlet that goes on when this one finishes; None for a main greenlet.",
     nullptr},
    {"gr_frame", get_frame, nullptr, "The innermost frame of a suspended greenlet, else None.", nullptr},
    {"gr_context", get_context, set_context, "The contextvars.Context that the greenlet runs in, or None.", nullptr},
    {"dead", get_dead, nullptr, "True if the greenlet has finished, or its thread has ended.", nullptr},
    {"_stack_saved", get_stack_saved, nullptr, "Bytes of C stack in use while the greenlet is suspended, else 0.",
     nullptr},
    {},
};

}  // namespace module
