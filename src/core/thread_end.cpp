// The end of a thread: see thread.hpp.

#include "core/kill.hpp"
#include "core/reference.hpp"
#include "core/thread.hpp"
#include "core/thread_list.hpp"
#include "interpreter/context.hpp"
#include "interpreter/frames/abandon.hpp"
#include "interpreter/pending_exception.hpp"
#include "interpreter/thread_state.hpp"
#include "interpreter/threading/threads.hpp"
#include "stackful/heap.hpp"

namespace core {

void Thread::end() noexcept {
    bool can_still_run = interpreter::current_thread_state() == thread_state && !interpreter::is_finalizing();
    Notes* notes = Notes::make();
    Thread* before = notes != nullptr ? std::exchange(notes->ending, this) : nullptr;
    end_layer_objects();
    if (can_still_run) {
        run_kill_queue();
        if (active != nullptr && module->collects_at_end) {
            std::clock_t begin = std::clock();
            PyGC_Collect();
            module->cleanup_clocks += std::clock() - begin;
        }
        // Releases now what may still use greenlets. A later release would make a new record of a thread that has
        // ended.
        if (current == main) {
            Py_XDECREF(interpreter::exchange_running_context(thread_state, nullptr));
        }
        Py_XDECREF(exchange_tracer(nullptr));
        if (notes != nullptr) {
            notes->clearing.begins(thread_state);
        }
        end_layer_objects();
        if (Py_REFCNT(main) == 2) {
            Py_CLEAR(main->dict);
        }
        end_layer_objects();
        run_kill_queue();
    }

    if (notes != nullptr) {
        notes->ending = before;
    }
    if ((observers & hook_set) != 0) {
        tell_hook(SwitchEvent::thread_ends);
    }
    leave_thread_state();
    ended_threads.fetch_add(1, std::memory_order_relaxed);
    Py_XDECREF(exchange_tracer(nullptr));
    end_layer_objects();
    run_kill_queue();
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
    // Else the thread ended in the middle of a greenlet, as the other threads do in the child of a fork. That greenlet
    // stays the current one permanently, because its state is unknown.
    Reference ended_main;
    {
        interpreter::Holding lock(after_end);
        ended_main = Reference::steal(as_object(std::exchange(main, nullptr)));
    }
    ended_main = Reference();
    unref();
}

// Finalizes the layers' objects. Code that a finalizer runs may make another object, which is finalized too; after ten
// rounds it is left.
void Thread::end_layer_objects() noexcept {
    for (LayerObject& layer : layer_objects) {
        for (int round = 0; layer.object != nullptr && round < 10; ++round) {
            Reference ending = Reference::borrow(layer.object);
            PyObject_CallFinalizer(ending.get());
        }
    }
}

// From here on the other threads may abandon its greenlets.
void Thread::leave_thread_state() noexcept {
    interpreter::Holding changing(after_end);
    for (Activation* activation = active; activation != nullptr; activation = activation->next) {
        if (activation->greenlet != current) {
            interpreter::leave_thread_state(activation->state, thread_state);
        }
        else {
            activation->state.end_link();
        }
    }
    if (current != main) {
        main_activation.state.load_data_stack(thread_state);
    }
    main->pimpl->phase = Phase::finished;
    main->pimpl->activation = nullptr;
    main->pimpl->context = nullptr;
    thread_state = nullptr;
}

// Takes over the reference that an active greenlet owns to itself, as that greenlet. nullptr if none owns one.
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

void Thread::unref() noexcept {
    if (owners.remove()) {
        ThreadList::remove(*this);
        module->unref();
        stackful::destroy(this);
    }
}

}  // namespace core
