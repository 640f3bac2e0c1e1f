#include "core/thread.hpp"

#include <algorithm>

#include "core/create.hpp"
#include "core/reference.hpp"
#include "core/settings.hpp"
#include "core/shortage.hpp"
#include "core/thread_list.hpp"
#include "interpreter/collector.hpp"
#include "interpreter/memory_tracing.hpp"
#include "interpreter/pending_exception.hpp"
#include "interpreter/thread_state.hpp"
#include "stackful/heap.hpp"
#include "stackful/overflow.hpp"

namespace core {

std::atomic<std::size_t> Thread::ended_threads{0};

namespace {

constexpr const char* capsule_name = "greenlet._greenlet.thread";

// Refuses a destructor that runs while the thread state is cleared: a record made now would never be ended.
Thread* refuse_to_make() noexcept {
    PyErr_SetString(PyExc_RuntimeError, "greenlets can't be used any more: the thread has ended");
    return nullptr;
}

// The stack size, raised to what the interpreter needs. That may be more than the engine's minimum.
std::size_t sufficient(std::size_t stack_size) noexcept {
    return std::max(stack_size, interpreter::least_stack_bytes());
}

}  // namespace

void Thread::note(PyThreadState* ts, Thread* thread) noexcept {
    if (Notes* notes = Notes::make()) {  // without memory for notes the Thread is looked up each time
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
    interpreter::CollectorPaused paused;  // a destructor could make a record first
    Thread* thread = find_or_make_in(PyThreadState_GetDict(), ts);
    if (thread != nullptr) {
        note(ts, thread);
    }
    return thread;
}

Thread* Thread::of(PyThreadState* ts) noexcept {
    interpreter::CollectorPaused paused;  // a collection could let the other threads run, also the one of `ts`
    return find_or_make_in(interpreter::dictionary_of(ts), ts);
}

// `dict`: the thread state's, borrowed; nullptr if there was no memory for it.
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
    Thread* thread = nullptr;
    if (capsule != nullptr) {
        thread = static_cast<Thread*>(PyCapsule_GetPointer(capsule, capsule_name));
    }
    else if (!PyErr_Occurred()) {
        thread = make(ts, *module, dict);
    }
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
    auto* thread = new (stackful::heap) Thread{};
    if (thread == nullptr) {
        PyErr_NoMemory();
        return nullptr;
    }
    thread->module = &module;
    if (!ThreadList::add(*thread)) {
        stackful::destroy(thread);
        PyErr_NoMemory();
        return nullptr;
    }
    thread->thread_state = ts;
    thread->identity = ts->thread_id;
    module.owners.add();
    thread->main = create_main(*thread);
    PyObject* made = thread->main != nullptr ? PyCapsule_New(thread, capsule_name, nullptr) : nullptr;
    Reference capsule = Reference::steal(made);
    if (!capsule || PyDict_SetItem(dict, module.thread_key, capsule.get()) < 0) {
        thread->thread_state = nullptr;
        Py_CLEAR(thread->main);
        thread->unref();
        return nullptr;
    }
    PyCapsule_SetDestructor(capsule.get(), thread_state_cleared);
    thread->current = as_greenlet(Py_NewRef(as_object(thread->main)));
    thread->follow_switch_hook();
    return thread;
}

void Thread::thread_state_cleared(PyObject* capsule) {
    interpreter::PendingException in_flight;
    static_cast<Thread*>(PyCapsule_GetPointer(capsule, capsule_name))->end();
}

void Thread::tell_hook(SwitchEvent event) noexcept {
    SwitchHook hook = module->switch_hook.load(std::memory_order_acquire);
    if (hook != nullptr) {
        hook(*this, event, nullptr, false);
    }
}

// For a new thread. ThreadList::set_switch_hook() has a fence like this one: of two threads that are in both at once,
// one notices the other.
void Thread::follow_switch_hook() noexcept {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (module->switch_hook.load(std::memory_order_relaxed) != nullptr) {
        observers.set(hook_set);
        tell_hook(SwitchEvent::thread_begins);
    }
}

void Thread::trim_stacks() noexcept {
    stacks.decommit();
    for (Activation* activation = active; activation != nullptr; activation = activation->next) {
        if (activation->greenlet != current) {
            trim(*activation);
        }
    }
}

void Thread::add_active(Activation& activation) noexcept {
    activation.number = ++started;
    activation.previous = nullptr;
    activation.next = active;
    if (active != nullptr) {
        active->previous = &activation;
    }
    active = &activation;
}

void Thread::remove_active(Activation& activation) noexcept {
    ++ended;
    (activation.previous != nullptr ? activation.previous->next : active) = activation.next;
    if (activation.next != nullptr) {
        activation.next->previous = activation.previous;
    }
}

void Thread::follow_settings() noexcept {
    stack_settings = core::stack_settings();
    stacks.set_stack_size(sufficient(core::stack_size()));
    if (wants_signal_stacks()) {
        stackful::ensure_signal_stack();  // a failure only means that overflows are not reported
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
    else if (interpreter::traces_memory()) [[unlikely]] {
        interpreter::trace_memory(stack_memory_domain, slot, slot->layout->page_size);
    }
    return slot;
}

}  // namespace core
