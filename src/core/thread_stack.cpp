#include "core/thread_stack.hpp"

#include <utility>

#include "core/greenlet.hpp"
#include "stackful/pool.hpp"

namespace core {

namespace {

struct Call {
    PyObject* function;
    PyObject* const* arguments;
    std::size_t flagged_count;
    PyObject* keyword_names;

    PyObject* make() const { return PyObject_Vectorcall(function, arguments, flagged_count, keyword_names); }
};

void* make_call(void* call) { return static_cast<Call*>(call)->make(); }

bool is_on_own_stack(Thread& thread, const void* address) noexcept {
    if (thread.own_stack.base == nullptr) [[unlikely]] {
        thread.own_stack = stackful::system::thread_stack();
    }
    return thread.own_stack.holds(address);
}

// The Thread whose main greenlet is on the operating-system thread's own stack. That is the running Thread, unless its
// interpreter was entered in a greenlet of another interpreter. Then the main greenlet is on that greenlet's stack, and
// the search goes on with that greenlet's Thread. nullptr if a main greenlet is on a stack of another kind.
Thread* find_host(Thread& running, const void* stack_pointer) noexcept {
    Thread* thread = &running;
    const void* suspended_at = running.main->pimpl->execution.context.stack_pointer;
    const void* place = running.current == running.main ? stack_pointer : suspended_at;
    while (!is_on_own_stack(running, place)) {
        const stackful::Slot* slot = stackful::StackPool::shared().slot_holding(place);
        if (slot == nullptr) {
            return nullptr;
        }
        thread = activation_on(*slot).greenlet->pimpl->thread;
        place = thread->main->pimpl->execution.context.stack_pointer;
    }
    return thread;
}

// Notes that the stack of `host` is in use. With a GIL no other thread changes the obstacles of the running thread
// meanwhile; the threads of another interpreter have a GIL of their own.
void note(Thread& host, bool is_running, bool begins) noexcept {
    if (interpreter::has_gil && is_running) [[likely]] {
        unsigned others = host.obstacles.load(std::memory_order_relaxed) & ~on_own_stack;
        host.obstacles.store(begins ? others | on_own_stack : others, std::memory_order_relaxed);
    }
    else if (begins) {
        host.obstacles.fetch_or(on_own_stack, std::memory_order_relaxed);
    }
    else {
        host.obstacles.fetch_and(~on_own_stack, std::memory_order_relaxed);
    }
}

// While in scope the running greenlet runs below the suspended main greenlet of `host`.
class OnOwnStack {
public:
    OnOwnStack(Thread& thread, Thread& host) noexcept
        : thread_(thread), host_(host), postponed_kills_(std::exchange(thread.postpones_kills, true)) {
        note_all(true);
        if (thread_.current != thread_.main) {
            limit_ = interpreter::StackLimit::exchange(thread_.thread_state,
                                                       thread_.main_activation.state.stack_limit());
        }
    }
    OnOwnStack(const OnOwnStack&) = delete;
    OnOwnStack& operator=(const OnOwnStack&) = delete;
    ~OnOwnStack() {
        if (thread_.current != thread_.main) {
            interpreter::StackLimit::exchange(thread_.thread_state, limit_);
        }
        note_all(false);
        thread_.postpones_kills = postponed_kills_;
    }

private:
    void note_all(bool begins) noexcept {
        note(thread_, true, begins);
        if (&host_ != &thread_) [[unlikely]] {
            note(host_, false, begins);
        }
    }

    Thread& thread_;
    Thread& host_;
    bool postponed_kills_;
    interpreter::StackLimit limit_{};  // that of the greenlet's stack
};

}  // namespace

PyObject* call_on_thread_stack(PyObject* function, PyObject* const* arguments, std::size_t flagged_count,
                               PyObject* keyword_names) noexcept {
    Thread* thread = Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    Call call{function, arguments, flagged_count, keyword_names};
    if (thread->is_on_own_stack()) {
        return call.make();
    }
    Thread* host = find_host(*thread, __builtin_frame_address(0));
    if (host == nullptr) {
        PyErr_SetString(thread->module->error,
                        "the thread's own stack can't be used: the main greenlet is on another one");
        return nullptr;
    }
    if (host == thread && thread->current == thread->main) {
        return call.make();
    }
    PyObject* result;
    {
        OnOwnStack meanwhile(*thread, *host);
        stackful::Execution& own = thread->current->pimpl->execution;
        result = static_cast<PyObject*>(stackful::call_below(own, host->main->pimpl->execution, make_call, &call));
    }
    thread->run_kill_queue();
    return result;
}

void refuse_switch_on_own_stack(PyObject* error) noexcept {
    PyErr_SetString(
        error,
        "can't switch to another greenlet in a function that on_thread_stack() has called: it runs on the thread's own "
        "stack, where the main greenlet is suspended");
}

}  // namespace core
