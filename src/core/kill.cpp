#include "core/kill.hpp"

#include "core/coroutine/hooks.hpp"
#include "core/gc_root.hpp"
#include "core/parent.hpp"
#include "core/transfer.hpp"
#include "interpreter/frames/abandon.hpp"
#include "interpreter/handled_exception.hpp"
#include "interpreter/pending_exception.hpp"
#include "interpreter/thread_state.hpp"

namespace core {

// --- the exception ---------------------------------------------------------------------------------------------------

bool must_be_killed_later(PyGreenlet* g) noexcept {
    Thread* thread = g->pimpl->thread;
    if (thread->thread_state == nullptr || interpreter::is_finalizing()) {
        return false;
    }
    return thread->thread_state != interpreter::current_thread_state() || thread->postpones_kills;
}

namespace {

// Raises the exception that ends a greenlet.
void raise_exit(const PyGreenlet* g, const Thread& thread, bool collected) {
    if (is_body(g)) {
        PyErr_SetNone(PyExc_GeneratorExit);
        if (is_active(g) && thread.current != g) {
            interpreter::add_context_of(thread.thread_state, g->pimpl->activation->state);
        }
    }
    else {
        PyErr_SetString(collected ? thread.module->garbage_exit : thread.module->greenlet_exit,
                        "Killing the greenlet because all references have vanished.");
    }
}

}  // namespace

void kill(PyGreenlet* g, bool collected) noexcept {
    interpreter::PendingException in_flight;
    Thread* thread = g->pimpl->thread;
    if (thread->thread_state == nullptr || interpreter::is_finalizing()) {
        abandon(g);
        return;
    }
    if (thread->thread_state == interpreter::current_thread_state() && thread->current == g) {
        return;
    }
    if (must_be_killed_later(g)) {
        Py_INCREF(g);
        if (!thread->kill_later(g, collected)) {
            abandon(g);
            Py_DECREF(g);
        }
        return;
    }
    raise_exit(outermost_resumer(g), *thread, collected);  // first, because it may run code of the program
    if (!is_active(g) || thread->current == g) {
        PyErr_Clear();
        return;
    }
    PyGreenlet* victim = g;
    g = outermost_resumer(g);  // passes the exception on to the victim
    // The switch may release the last reference to `g`.
    Reference held = Reference::borrow(g != victim ? as_object(g) : nullptr);
    if (is_main(g) || is_ancestor(g, thread->current)) {
        PyErr_Clear();  // the greenlet is in use, so it is no garbage
        return;
    }
    // The current greenlet is its parent meanwhile, so that it returns here.
    Reference parent = Reference::steal(exchange_parent(g, Py_NewRef(as_object(thread->current))));
    std::size_t parent_changes = thread->module->parent_changes.load(std::memory_order_relaxed);
    PyObject* result = transfer(*thread, g, nullptr, {});
    // The old parent may have become a child of `g`. Then it is not restored: that would be a cycle.
    bool is_as_before = thread->module->parent_changes.load(std::memory_order_relaxed) == parent_changes;
    if (is_as_before || !is_ancestor(g, as_greenlet(parent.get()))) {
        parent = Reference::steal(exchange_parent(g, parent.release()));
    }
    parent = Reference();  // at once: what follows may run code that never returns
    if (result == nullptr) {
        PyErr_WriteUnraisable(as_object(g));
    }
    Py_XDECREF(result);
    if (collected && is_active(victim)) {
        keep_survivor(victim);
    }
}

void keep_survivor(PyGreenlet* g) noexcept {
    if (!g->pimpl->holds_itself) {
        g->pimpl->holds_itself = true;
        Py_INCREF(g);
    }
}

// --- the queue -------------------------------------------------------------------------------------------------------

namespace {

// A greenlet in the queue has been started, so its `run` is free. A field of its own would not fit into the two cache
// lines that an object and its Greenlet take.
PyObject*& next_in_kill_queue(PyGreenlet* g) noexcept { return g->pimpl->run; }

}  // namespace

bool Thread::kill_later(PyGreenlet* g, bool collected) noexcept {
    bool is_known;
    {
        interpreter::Holding changing(after_end);  // else the thread could end meanwhile, and nobody would kill it
        if (thread_state == nullptr) {
            return false;
        }
        is_known = g->pimpl->kill != Kill::none;
        g->pimpl->kill = collected || g->pimpl->kill == Kill::collected ? Kill::collected : Kill::queued;
        if (!is_known) {
            PyGreenlet* last = std::exchange(last_to_kill, g);
            if (last != nullptr) {
                next_in_kill_queue(last) = as_object(g);
            }
            else {
                to_kill = g;
                obstacles.fetch_or(kills_wait, std::memory_order_release);
            }
        }
    }
    if (is_known) {
        Py_DECREF(g);
    }
    return true;
}

// The next greenlet of the kill queue, with the queue's reference to it. nullptr if the queue is empty.
PyGreenlet* Thread::dequeue_kill(bool& collected) noexcept {
    interpreter::Holding changing(after_end);
    PyGreenlet* g = to_kill;
    if (g == nullptr) {
        return nullptr;
    }
    to_kill = as_greenlet(std::exchange(next_in_kill_queue(g), nullptr));
    if (to_kill == nullptr) {
        last_to_kill = nullptr;
        obstacles.fetch_and(~kills_wait, std::memory_order_relaxed);
    }
    collected = std::exchange(g->pimpl->kill, Kill::none) == Kill::collected;
    return g;
}

// One by one: the code of a killed greenlet may kill or finish others, or never return here.
void Thread::run_kill_queue_now() noexcept {
    interpreter::PendingException in_flight;
    bool collected;
    while (!postpones_kills) {
        PyGreenlet* g = dequeue_kill(collected);
        if (g == nullptr) {
            return;
        }
        if (collected && is_active(g)) {
            kill(g, true);
        }
        Py_DECREF(g);
    }
}

// --- without an exception --------------------------------------------------------------------------------------------

namespace {

// Takes a greenlet's activation. Of several threads that abandon the greenlet at once, one gets it; the others get
// nullptr.
Activation* take_activation(PyGreenlet* g) noexcept {
    interpreter::ObjectLock lock(as_object(g));  // another thread may be looking at its frames
    g->pimpl->phase = Phase::finished;
    Activation* activation = g->pimpl->activation.exchange(nullptr);
    if (activation != nullptr) {
        g->pimpl->context = nullptr;  // there was the address of its frame
    }
    return activation;
}

// Unlinks an activation from its thread's list. True if the greenlet owned a reference to itself, which passes to the
// caller.
bool unlink(Thread& thread, Activation& activation) noexcept {
    interpreter::Holding changing(thread.after_end);
    thread.remove_active(activation);
    return std::exchange(activation.greenlet->pimpl->holds_itself, false);
}

void return_stack(Thread& thread, Activation& activation) noexcept {
    interpreter::Holding changing(thread.after_end);
    thread.return_stack(activation);
}

}  // namespace

void abandon(PyGreenlet* g) noexcept {
    Greenlet& greenlet = *g->pimpl;
    unnest_awaited(g);
    Activation* activation = take_activation(g);
    if (activation == nullptr || interpreter::is_finalizing() || greenlet.thread->current == g) {
        return;  // the process frees what it owns
    }
    interpreter::PendingException in_flight;
    bool held_itself = unlink(*greenlet.thread, *activation);
    PyObject* context = std::exchange(activation->state.context, nullptr);
    Py_XDECREF(interpreter::SharedReference(as_object(g), greenlet.context).exchange(context));
    Py_XDECREF(take_resumer(g));
    interpreter::abandon_frames(activation->state, activation->state.call.get());
    GcRoot::release(activation->gc_roots);
    Py_XDECREF(activation->run);
    for (Py_ssize_t i = activation->argument_count; i > 0; --i) {
        Py_DECREF(activation->arguments[i - 1]);
    }
    return_stack(*greenlet.thread, *activation);
    if (held_itself) {
        Py_DECREF(g);
    }
}

}  // namespace core
