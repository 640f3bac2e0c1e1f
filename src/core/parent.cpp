#include "core/parent.hpp"

#include "core/describe.hpp"
#include "core/raise.hpp"
#include "core/reference.hpp"
#include "core/thread_stack.hpp"

namespace core {

void refuse_switch_to(PyGreenlet* g, Thread& running) noexcept {
    Thread* thread = thread_of(g);
    PyErr_Clear();  // the exception that was to be thrown
    PyObject* error = running.module->error;
    if (running.is_on_own_stack()) {
        refuse_switch_on_own_stack(error);
        return;
    }
    if (thread == nullptr) {
        PyErr_SetString(error, "cannot switch to a garbage collected greenlet");
        return;
    }
    Reference other;  // the main greenlet of `thread`, which releases it when it ends
    {
        interpreter::Holding lock(thread->after_end);
        other = Reference::borrow(as_object(thread->thread_state != nullptr ? thread->main : nullptr));
    }
    Reference here = name_of(running);
    Reference there = name_of(*thread);
    if (!here || !there) {
        PyErr_Clear();
        PyErr_SetString(error, "Cannot switch to a different thread");
    }
    else if (other) {
        PyErr_Format(error,
                     "Cannot switch to a different thread\n\tCurrent:  %R of thread %U\n\tExpected: %R of thread %U",
                     running.main, here.get(), other.get(), there.get());
    }
    else {
        PyErr_SetString(error, "cannot switch to a different thread (which happens to have exited)");
        add_note("This is thread %U. The greenlet belongs to thread %U.", here.get(), there.get());
    }
}

Thread* thread_of_changing(PyGreenlet* g) noexcept {
    Reference held = Reference::borrow(as_object(g));
    while (held) {
        if (Thread* thread = as_greenlet(held.get())->pimpl->thread) {
            return thread;
        }
        held = Reference::steal(get_parent(as_greenlet(held.get())));
    }
    return nullptr;
}

bool is_ancestor(const PyGreenlet* g, const PyGreenlet* of) noexcept {
    interpreter::Holding reading(parents_lock);
    for (; of != nullptr; of = of->pimpl->parent) {
        if (of == g) {
            return true;
        }
    }
    return false;
}

void set_successor(PyGreenlet* g, PyGreenlet* next) noexcept {
    if (next == g) {
        return;
    }
    Reference old, old_of_child;
    {
        interpreter::Holding changing(parents_lock);
        PyGreenlet* child = next;
        while (child != nullptr && child->pimpl->parent != g) {
            child = child->pimpl->parent;
        }
        if (child != nullptr) {  // else there would be a cycle
            old_of_child = Reference::steal(exchange_locked_parent(child, Py_XNewRef(as_object(g->pimpl->parent))));
        }
        old = Reference::steal(exchange_locked_parent(g, Py_NewRef(as_object(next))));
    }
    g->pimpl->thread.get()->module->parent_changes.fetch_add(1, std::memory_order_relaxed);
}

namespace {

// Sets the parent of `g` and stores the previous one in `old`. Returns nullptr, or the message for a ValueError.
const char* exchange_checked_parent(PyGreenlet* g, PyObject* parent, PyObject*& old) noexcept {
    interpreter::Holding changing(parents_lock);
    Thread* thread = nullptr;
    for (PyGreenlet* ancestor = as_greenlet(parent); ancestor != nullptr; ancestor = ancestor->pimpl->parent) {
        if (ancestor == g) {
            return "cyclic parent chain";
        }
        thread = ancestor->pimpl->thread;
    }
    if (thread == nullptr) {
        return "parent must not be garbage collected";
    }
    if (is_started(g) && g->pimpl->thread != thread) {
        return "parent cannot be on a different thread";
    }
    old = exchange_locked_parent(g, Py_NewRef(parent));
    return nullptr;
}

}  // namespace

int set_parent(PyGreenlet* g, PyObject* parent) noexcept {
    if (parent == nullptr) {
        PyErr_SetString(PyExc_AttributeError, "can't delete attribute");
        return -1;
    }
    if (is_main(g)) {
        PyErr_SetString(PyExc_AttributeError, "cannot set the parent of a main greenlet");
        return -1;
    }
    ModuleState* module = Thread::running_module();
    if (module == nullptr) {
        return -1;
    }
    if (!is_greenlet(parent, *module)) {
        PyErr_Format(PyExc_TypeError, "GreenletChecker: Expected any type of greenlet, not %s",
                     Py_TYPE(parent)->tp_name);
        add_note("parent must be a greenlet, not %s", Py_TYPE(parent)->tp_name);
        return -1;
    }
    PyObject* old = nullptr;
    if (const char* hindrance = exchange_checked_parent(g, parent, old)) {
        PyErr_SetString(PyExc_ValueError, hindrance);
        return -1;
    }
    module->parent_changes.fetch_add(1, std::memory_order_relaxed);
    Py_XDECREF(old);
    return 0;
}

}  // namespace core
