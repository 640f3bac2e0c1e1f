#include "core/thread.hpp"

#include <algorithm>
#include <new>

#include "core/lifetime.hpp"
#include "core/reference.hpp"
#include "core/settings.hpp"
#include "core/shortage.hpp"
#include "core/switching.hpp"
#include "interpreter/allocation.hpp"
#include "interpreter/frames.hpp"
#include "interpreter/pending_exception.hpp"
#include "interpreter/threads.hpp"
#include "stackful/overflow.hpp"

namespace core {

std::atomic<std::size_t> Thread::ended_threads{0};

namespace {

constexpr const char* capsule_name = "greenlet._greenlet.thread";

// A destructor wants one, called when the thread state is cleared. Nobody would end a record that is made now.
Thread* refuse_to_make() noexcept {
    PyErr_SetString(PyExc_RuntimeError, "greenlets can't be used any more: the thread has ended");
    return nullptr;
}

// The interpreter may not be content with what the engine is.
std::size_t sufficient(std::size_t stack_size) noexcept { return std::max(stack_size, interpreter::least_stack_bytes); }

}  // namespace

void Thread::note(PyThreadState* ts, Thread* thread) noexcept {
    if (Notes* notes = Notes::make()) {  // else it is looked up each time
        notes->thread_state = ts;
        notes->thread = thread;
        notes->ended = ended_threads.load(std::memory_order_relaxed);
    }
}

Thread* Thread::find_or_make(PyThreadState* ts) noexcept {
    Thread* ending = Notes::get().ending;
    if (ending != nullptr && ending->thread_state == ts) {
        note(ts, ending);
        return ending;
    }
    if (Notes::get().clearing.is_of(ts) && !interpreter::has_dictionary(ts)) {
        return refuse_to_make();
    }
    interpreter::CollectorPaused paused;      // or else destructors could make a record first
    Thread* thread = find_or_make_in(PyThreadState_GetDict(), ts);
    if (thread != nullptr) {
        note(ts, thread);
    }
    return thread;
}

Thread* Thread::of(PyThreadState* ts) noexcept {
    interpreter::CollectorPaused paused;  // or else other threads could run meanwhile, this one too
    return find_or_make_in(interpreter::dictionary_of(ts), ts);
}

// `dict`: that of the thread state, borrowed; nullptr if there was no memory for it.
Thread* Thread::find_or_make_in(PyObject* dict, PyThreadState* ts) noexcept {
    if (dict == nullptr) {
        PyErr_NoMemory();
        return nullptr;
    }
    ModuleState* module = ModuleState::of_interpreter();
    if (module == nullptr) {
        return nullptr;
    }
    interpreter::PendingException in_flight;
    PyObject* capsule = PyDict_GetItemWithError(dict, module->thread_key);
    Thread* thread = capsule != nullptr ? static_cast<Thread*>(PyCapsule_GetPointer(capsule, capsule_name))
                     : PyErr_Occurred() ? nullptr
                                        : make(ts, *module, dict);
    if (thread == nullptr) {
        in_flight.discard();
    }
    return thread;
}

Thread* Thread::make(PyThreadState* ts, ModuleState& module, PyObject* dict) noexcept {
    if (interpreter::is_finalizing()) {
        PyErr_SetString(PyExc_RuntimeError, "greenlet is being finalized");
        return nullptr;
    }
    if (Notes::get().clearing.is_of(ts)) {
        return refuse_to_make();
    }
    auto* thread = new (std::nothrow) Thread{};
    if (thread == nullptr) {
        PyErr_NoMemory();
        return nullptr;
    }
    thread->thread_state = ts;
    thread->identity = ts->thread_id;
    thread->module = &module;
    module.owners.add();
    thread->main = create_main(*thread);
    Reference capsule =
        Reference::steal(thread->main != nullptr ? PyCapsule_New(thread, capsule_name, nullptr) : nullptr);
    if (!capsule || PyDict_SetItem(dict, module.thread_key, capsule.get()) < 0) {
        thread->thread_state = nullptr;
        Py_CLEAR(thread->main);
        thread->drop();
        return nullptr;
    }
    PyCapsule_SetDestructor(capsule.get(), thread_state_cleared);
    thread->current = as_greenlet(Py_NewRef(as_object(thread->main)));
    return thread;
}

void Thread::thread_state_cleared(PyObject* capsule) {
    interpreter::PendingException in_flight;
    static_cast<Thread*>(PyCapsule_GetPointer(capsule, capsule_name))->end();
}

void Thread::end() noexcept {
    bool can_still_run = interpreter::current_thread_state() == thread_state && !interpreter::is_finalizing();
    Notes* notes = Notes::make();
    Thread* before = notes != nullptr ? std::exchange(notes->ending, this) : nullptr;
    end_scheduler();
    if (can_still_run) {
        kill_released();
        if (active != nullptr && module->collects_at_end) {
            std::clock_t begin = std::clock();
            PyGC_Collect();
            module->cleanup_clocks += std::clock() - begin;
        }
        // What goes now may still use greenlets. If it did later, that would make a new record of a thread that is no more.
        if (current == main) {
            Py_XDECREF(interpreter::exchange_running_context(thread_state, nullptr));
        }
        Py_CLEAR(tracer);
        if (notes != nullptr) {
            notes->clearing.begins(thread_state);
        }
        end_scheduler();
        if (Py_REFCNT(main) == 2) {
            Py_CLEAR(main->dict);
        }
        end_scheduler();
        kill_released();
    }

    if (notes != nullptr) {
        notes->ending = before;
    }
    leave_thread_state();
    ended_threads.fetch_add(1, std::memory_order_relaxed);
    Py_CLEAR(tracer);
    end_scheduler();
    kill_released();
    if (can_still_run) {
        while (PyGreenlet* survivor = take_survivor()) {
            abandon(survivor);
            Py_DECREF(survivor);
        }
    }
    trim_free_stacks();
    if (current == main) {
        Py_DECREF(as_object(current.exchange(nullptr)));
    }
    // Else it ended in the middle of a greenlet: other threads do in the child of a fork. That greenlet stays the current
    // one for ever, because nobody knows what state it is in.
    Reference ended_main;
    {
        interpreter::Holding lock(after_end);
        ended_main = Reference::steal(as_object(std::exchange(main, nullptr)));
    }
    ended_main = Reference();
    drop();
}

// A scheduler takes itself off the thread when it is finalized. Code that runs because of that can make another one, but not for
// ever, and not once the thread has left its thread state.
void Thread::end_scheduler() noexcept {
    for (int round = 0; scheduler != nullptr && round < 10; ++round) {
        Reference held = Reference::borrow(scheduler);
        PyObject_CallFinalizer(held.get());
    }
}

// From here on other threads may abandon its greenlets.
void Thread::leave_thread_state() noexcept {
    interpreter::Holding changing(after_end);
    for (Activation* activation = active; activation != nullptr; activation = activation->next) {
        if (activation->greenlet != current) {
            interpreter::leave_thread_state(activation->state, thread_state);
        }
    }
    if (current != main) {
        main_activation.state.return_data_stack(thread_state);
    }
    main->pimpl->phase = Phase::finished;
    main->pimpl->activation = nullptr;
    thread_state = nullptr;
}

// A greenlet that only refers to itself, with that reference. nullptr if there is none.
PyGreenlet* Thread::take_survivor() noexcept {
    interpreter::Holding changing(after_end);
    for (Activation* activation = active; activation != nullptr; activation = activation->next) {
        if (std::exchange(activation->greenlet->pimpl->holds_itself, false)) {
            return activation->greenlet;
        }
    }
    return nullptr;
}

void Thread::trim_free_stacks() noexcept {
    interpreter::Holding changing(after_end);
    stacks.trim();
}

void Thread::drop() noexcept {
    if (owners.remove()) {
        module->drop();
        delete this;
    }
}

bool Thread::kill_later(PyGreenlet* g, bool condemned) noexcept {
    bool is_known;
    {
        interpreter::Holding changing(after_end);  // or else the thread ends meanwhile, and nobody kills it
        if (thread_state == nullptr) {
            return false;
        }
        g->pimpl->is_condemned |= condemned;
        is_known = std::exchange(g->pimpl->is_to_be_killed, true);
        if (!is_known) {
            PyGreenlet* last = std::exchange(last_to_kill, g);
            if (last != nullptr) {
                last->pimpl->run = as_object(g);
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

// The next greenlet that others released, with the reference to it; nullptr if there is none.
PyGreenlet* Thread::take_released(bool& condemned) noexcept {
    interpreter::Holding changing(after_end);
    PyGreenlet* g = to_kill;
    if (g == nullptr) {
        return nullptr;
    }
    to_kill = as_greenlet(std::exchange(g->pimpl->run, nullptr));
    if (to_kill == nullptr) {
        last_to_kill = nullptr;
        obstacles.fetch_and(~kills_wait, std::memory_order_relaxed);
    }
    g->pimpl->is_to_be_killed = false;
    condemned = std::exchange(g->pimpl->is_condemned, false);
    return g;
}

// One after the other: what one of them does when it is killed may kill or finish others, or never come back here.
void Thread::kill_released_now() noexcept {
    interpreter::PendingException in_flight;
    bool condemned;
    while (!postpones_kills) {
        PyGreenlet* g = take_released(condemned);
        if (g == nullptr) {
            return;
        }
        if (condemned && is_active(g)) {
            kill(g, true);
        }
        Py_DECREF(g);
    }
}

void Thread::trim_stacks() noexcept {
    stacks.cool();
    for (Activation* activation = active; activation != nullptr; activation = activation->next) {
        if (activation->greenlet != current) {
            trim(*activation);
        }
    }
}

void Thread::add_active(Activation& activation) noexcept {
    activation.previous = nullptr;
    activation.next = active;
    if (active != nullptr) {
        active->previous = &activation;
    }
    active = &activation;
}

void Thread::remove_active(Activation& activation) noexcept {
    (activation.previous != nullptr ? activation.previous->next : active) = activation.next;
    if (activation.next != nullptr) {
        activation.next->previous = activation.previous;
    }
}

void Thread::follow_settings() noexcept {
    stack_settings = core::stack_settings();
    stacks.set_stack_size(sufficient(core::stack_size()));
    if (wants_signal_stacks()) {
        stackful::ensure_signal_stack();  // without one an overflow is not reported, and that is all
    }
}

stackful::Slot* Thread::acquire_slot() noexcept {
    if (stack_settings != core::stack_settings()) [[unlikely]] {
        follow_settings();
    }
    stackful::Slot* slot = stacks.acquire();
    if (slot == nullptr) [[unlikely]] {
        raise_no_room(stacks.slot_bytes());
    }
    return slot;
}

void Thread::return_stack(Activation& activation) noexcept {
    stackful::retire(activation.greenlet->pimpl->execution);
    stacks.release(activation.slot);
}

}  // namespace core
