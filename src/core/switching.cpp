#include "core/switching.hpp"

#include <algorithm>
#include <new>

#include "core/coroutine.hpp"
#include "core/lifetime.hpp"
#include "core/parent.hpp"
#include "interpreter/allocation.hpp"
#include "interpreter/critical_sections.hpp"
#include "interpreter/frames.hpp"
#include "interpreter/given_up.hpp"
#include "interpreter/handled_exception.hpp"
#include "interpreter/pending_exception.hpp"

namespace core {

namespace {

// What a new greenlet is given to start with. Lies on the stack of the one that starts it, which does not run until the new
// one has taken it over.
struct Start {
    Thread* thread = nullptr;
    Message message;
    Reference run;
    Reference many_arguments;  // a tuple that owns message.arguments, if there are more than fit, or the caller does not
    Reference keyword_names;   // owns message.keyword_names, if they were not the caller's
};

// So many arguments are kept on the stack of the greenlet itself.
constexpr Py_ssize_t few = 6;

Py_ssize_t argument_count(const Message& message) noexcept {
    return message.positional + (message.keyword_names != nullptr ? PyTuple_GET_SIZE(message.keyword_names) : 0);
}

// --- the switch ------------------------------------------------------------------------------------------------------

// The only place where stacks are switched. Returns what is passed to the caller when it is resumed.
[[gnu::noinline]] void* exchange(Greenlet& from, Activation& from_activation, Greenlet& to, void* payload, PyThreadState* ts,
                                 stackful::Leaving leaving) {
    interpreter::State::exchange(ts, from_activation.state, to.activation->state);
    return stackful::switch_to(from.execution, to.execution, payload, leaving);
}

// Tells the tracer of a switch that has just happened. Takes over the value, returns it, or nullptr with the tracer's
// exception, and then the tracer is no more.
[[gnu::noinline]] PyObject* trace(Thread& thread, PyGreenlet* origin, PyGreenlet* target, PyObject* value) {
    interpreter::PendingException in_flight;
    ModuleState& module = *thread.module;
    Reference tracer = Reference::borrow(thread.tracer);
    Reference greenlets = Reference::steal(PyTuple_Pack(2, origin, target));
    Reference result;
    if (greenlets) {
        PyObject* arguments[] = {value != nullptr ? module.event_switch : module.event_throw, greenlets.get()};
        PyThreadState_EnterTracing(thread.thread_state);
        result = Reference::steal(PyObject_Vectorcall(tracer.get(), arguments, 2, nullptr));
        PyThreadState_LeaveTracing(thread.thread_state);
    }
    if (!result) {
        Py_CLEAR(thread.tracer);
        in_flight.discard();
        Py_XDECREF(value);
        return nullptr;
    }
    return value;
}

// What every greenlet does first when it is resumed or started: takes notice of the one that switched to it.
inline PyObject* arrive(Thread& thread, PyObject* value) {
    PyGreenlet* origin = thread.origin;
    if (thread.vacated != nullptr) [[unlikely]] {
        thread.return_stack(*std::exchange(thread.vacated, nullptr));
    }
    if (thread.tracer != nullptr) [[unlikely]] {
        value = trace(thread, origin, thread.current, value);
    }
    Py_DECREF(origin);
    return value;
}

// Makes `target` the current greenlet, in the thread's records. Takes over the reference: one that stayed on the stack of
// the suspended greenlet would be hidden from the garbage collector.
inline void set_current(Thread& thread, Reference target) {
    thread.origin = thread.current;
    thread.current = as_greenlet(target.release());
}

// arrive(), for a greenlet that waits for a coroutine.
[[gnu::noinline]] PyObject* arrive_awaiting(Thread& thread, Activation& self, PyObject* value) {
    Coroutine& coroutine = *self.awaited;
    bool was_in_ring = stop_waiting_in_ring(coroutine, thread);
    self.awaited = nullptr;
    interpreter::adapt_frames(thread.thread_state, self.state, thread.module->restart_events);
    return awaited_otherwise(coroutine, thread, arrive(thread, value), was_in_ring);
}

// What a greenlet that switched away, and is resumed now, returns.
inline PyObject* resumed(Thread& thread, Activation& self, void* received) {
    auto* value = static_cast<PyObject*>(received);
    if (self.awaited != nullptr) {
        return arrive_awaiting(thread, self, value);
    }
    interpreter::adapt_frames(thread.thread_state, self.state, thread.module->restart_events);
    return arrive(thread, value);
}

// --- the life of a greenlet on its stack -----------------------------------------------------------------------------

enum class Preparation { ready, failed, already_started };

void run_greenlet(void* payload);

// Expands a dictionary of keyword arguments.
bool expand_keywords(Start& start) {
    Message& message = start.message;
    if (message.keywords == nullptr || PyDict_GET_SIZE(message.keywords) == 0) {
        return true;
    }
    // Where threads do not take turns another one may change it.
    Reference own = Reference::steal(interpreter::threads_take_turns ? Py_NewRef(message.keywords) : PyDict_Copy(message.keywords));
    if (!own) {
        return false;
    }
    PyObject* keywords = own.get();
    interpreter::CollectorPaused paused;  // what it calls may change the dictionary
    Reference values = Reference::steal(PyTuple_New(message.positional + PyDict_GET_SIZE(keywords)));
    Reference names = Reference::steal(PyTuple_New(PyDict_GET_SIZE(keywords)));
    if (!values || !names) {
        return false;
    }
    for (Py_ssize_t i = 0; i < message.positional; ++i) {
        PyTuple_SET_ITEM(values.get(), i, Py_NewRef(message.arguments[i]));
    }
    PyObject *name, *value;
    Py_ssize_t position = 0;
    for (Py_ssize_t i = 0; PyDict_Next(keywords, &position, &name, &value); ++i) {
        if (!PyUnicode_Check(name)) {
            PyErr_SetString(PyExc_TypeError, "keywords must be strings");
            return false;
        }
        PyTuple_SET_ITEM(names.get(), i, Py_NewRef(name));
        PyTuple_SET_ITEM(values.get(), message.positional + i, Py_NewRef(value));
    }
    message.arguments = &PyTuple_GET_ITEM(values.get(), 0);
    message.keyword_names = names.get();
    start.many_arguments = std::move(values);
    start.keyword_names = std::move(names);
    return true;
}

bool keep_many_arguments(Start& start) {
    Message& message = start.message;
    Py_ssize_t count = argument_count(message);
    if (count <= few || start.many_arguments || message.gives_arguments) {
        return true;
    }
    Reference values = Reference::steal(PyTuple_New(count));
    if (!values) {
        return false;
    }
    for (Py_ssize_t i = 0; i < count; ++i) {
        PyTuple_SET_ITEM(values.get(), i, Py_NewRef(message.arguments[i]));
    }
    message.arguments = &PyTuple_GET_ITEM(values.get(), 0);
    start.many_arguments = std::move(values);
    return true;
}

// Finds out what an unstarted greenlet will run. May run Python code, which may do anything, start the greenlet included, or
// give it a parent of another thread.
bool find_run(Thread& thread, PyGreenlet* g, Start& start) {
    if (Py_TYPE(g) == thread.module->greenlet_type) {
        interpreter::SharedReference run(as_object(g), g->pimpl->run);  // under whose lock it is started
        if (is_started(g)) {
            return true;  // prepare_start() finds out
        }
        start.run = Reference::steal(run.get());
        if (start.run) {
            return true;
        }
    }
    {
        interpreter::PendingException in_flight;
        start.run = Reference::steal(PyObject_GetAttr(as_object(g), thread.module->name_run));
        if (!start.run && !interpreter::threads_take_turns && is_started(g)) {
            PyErr_Clear();  // another thread did so meanwhile
            return true;
        }
        if (!start.run) {
            in_flight.discard();
        }
    }
    return start.run && (is_started(g) || may_switch_to(g, thread));
}

// False if another thread has started it, where they do not take turns: its parent was of that one then.
bool lay_out(Thread& thread, PyGreenlet* g, stackful::Slot& slot) {
    static_assert(sizeof(Activation) % alignof(_PyStackChunk) == 0);
    interpreter::ObjectLock lock(as_object(g));  // also because its context moves, and another thread may ask for it
    if (!interpreter::threads_take_turns && is_started(g)) {
        return false;
    }
    auto* activation = new (slot.client_begin()) Activation{};
    std::byte* chunk = slot.client_begin() + sizeof(Activation);
    PyObject* context = std::exchange(g->pimpl->context, nullptr);
    activation->slot = &slot;
    activation->greenlet = g;
    activation->state.begin(thread.thread_state, slot.stack_end(), slot.stack_base(), chunk, slot.client_end(), context);
    if (g->pimpl->is_coroutine) {
        activation->state.nest(thread.thread_state);
        activation->state.join(thread.thread_state);
    }
    stackful::prepare(g->pimpl->execution, slot.low, slot.stack_base(), run_greenlet);
    thread.share();
    thread.add_active(*activation);
    g->pimpl->thread = &thread;
    g->pimpl->activation = activation;
    g->pimpl->phase = Phase::active;
    return true;
}

// Gets an unstarted greenlet, one that the thread may switch to, ready for it. `failed`: with an exception, and the greenlet
// as it was.
Preparation prepare_start(Thread& thread, PyGreenlet* g, const Message& message, Start& start) {
    start.thread = &thread;
    start.message = message;
    if (message.is_exit) {
        start.message.positional = 0;
    }
    if (!find_run(thread, g, start)) {
        return Preparation::failed;
    }
    if (!expand_keywords(start) || !keep_many_arguments(start)) {
        return Preparation::failed;
    }
    // By what was called to find `run`, or to get memory for the arguments.
    if (is_started(g)) {
        return Preparation::already_started;
    }
    stackful::Slot* slot = thread.acquire_slot();
    if (slot == nullptr) {
        return Preparation::failed;
    }
    if (!lay_out(thread, g, *slot)) {
        thread.stacks.release(slot);
        return Preparation::already_started;
    }
    return Preparation::ready;
}

// Calls run(*arguments), in the new greenlet. Returns its result, or nullptr with an exception.
PyObject* call_run(Thread& thread, PyGreenlet* self, Start& start) {
    // Take over what the starter has, before anything else can run.
    Message message = start.message;
    Reference run = std::move(start.run);
    Reference many_arguments = std::move(start.many_arguments);
    Reference keyword_names = Reference::borrow(message.keyword_names);
    PyObject* const* arguments = message.arguments;
    Py_ssize_t count = message.is_exception ? 0 : argument_count(message);
    PyObject* few_kept[1 + few];  // the first place is for the callee to use
    PyObject** kept = few_kept;
    if (count > few && !many_arguments) {
        kept = static_cast<PyObject**>(__builtin_alloca(static_cast<std::size_t>(1 + count) * sizeof(PyObject*)));
    }
    if (many_arguments) {
        kept[1] = many_arguments.get();
    }
    else if (message.gives_arguments) {
        for (Py_ssize_t i = 0; i < count; ++i) {
            kept[1 + i] = std::exchange(const_cast<PyObject**>(arguments)[i], nullptr);
        }
        arguments = kept + 1;
    }
    else {
        for (Py_ssize_t i = 0; i < count; ++i) {
            kept[1 + i] = Py_NewRef(arguments[i]);
        }
        arguments = kept + 1;
    }
    Activation& activation = *self->pimpl->activation;
    activation.run = run.get();
    activation.arguments = kept + 1;
    activation.argument_count = many_arguments ? 1 : count;

    // Only now other code may run: the tracer, and the destructor of a `run` attribute that was not the one found.
    PyObject* attribute = interpreter::SharedReference(as_object(self), self->pimpl->run).exchange(nullptr);
    PyObject* result = arrive(thread, message.is_exception ? nullptr : Py_None);
    Py_XDECREF(attribute);
    if (result != nullptr) {
        std::size_t positional = static_cast<std::size_t>(message.positional);
        if (!many_arguments) {
            positional |= PY_VECTORCALL_ARGUMENTS_OFFSET;
        }
        if (message.gives_arguments && interpreter::makes_own_references(run.get(), count)) {
            activation.argument_count = 0;
            for (Py_ssize_t i = std::exchange(count, 0); i > 0; --i) {
                interpreter::give_up(kept[i]);
            }
        }
        result = PyObject_Vectorcall(run.get(), arguments, positional, keyword_names.get());
    }
    activation.run = nullptr;
    activation.argument_count = 0;
    if (!many_arguments) {
        for (Py_ssize_t i = count; i > 0; --i) {  // as a tuple would
            Py_DECREF(kept[i]);
        }
    }
    return result;
}

inline bool can_go_on(Thread& thread, PyGreenlet* self, PyGreenlet* parent) {
    return is_active(parent) && parent->pimpl->thread == &thread && parent != self;
}

// The greenlet that goes on when `self` finishes: its resumer, if it is the body of a coroutine that somebody resumed, else
// the first of its parents that can. A new reference. If it has to be started, `start` is made ready for it.
// What fails on the way replaces the result, and is passed to the next parent.
PyGreenlet* successor(Thread& thread, PyGreenlet* self, Reference& result, bool is_exit, Start& start, bool& starts) {
    if (PyGreenlet* resumer = std::exchange(self->pimpl->resumer, nullptr)) {
        return resumer;
    }
    Reference next = Reference::steal(get_parent(self));
    while (next) {
        PyGreenlet* g = as_greenlet(next.get());
        if (can_go_on(thread, self, g)) {
            return as_greenlet(next.release());
        }
        if (!is_started(g)) {
            start = Start{};
            Message message = Message::exception();
            if (result) {
                start.many_arguments = Reference::steal(PyTuple_Pack(1, result.get()));
                message = start.many_arguments ? Message{&PyTuple_GET_ITEM(start.many_arguments.get(), 0), 1} : message;
                message.is_exit = is_exit;
            }
            bool may = (!result || start.many_arguments) && may_switch_to(g, thread);
            switch (may ? prepare_start(thread, g, message, start) : Preparation::failed) {
                case Preparation::ready:
                    starts = true;
                    result = Reference();
                    return as_greenlet(next.release());
                case Preparation::already_started:
                    continue;
                case Preparation::failed:
                    result = Reference();
            }
        }
        next = Reference::steal(get_parent(g));
    }
    // The chain of parents was cut. The main greenlet is always there.
    if (result) {
        result = Reference();
        PyErr_SetString(thread.module->error, "a greenlet finished whose parent was garbage collected");
    }
    return as_greenlet(Py_NewRef(as_object(thread.main)));
}

// Switches from a greenlet that has finished to `target`, of which it takes over a reference, for ever.
[[noreturn]] inline void leave(Thread& thread, PyGreenlet* self, PyGreenlet* target, void* payload) {
    Activation& activation = *self->pimpl->activation;
    {
        interpreter::ObjectLock lock(as_object(self));  // as at the start
        self->pimpl->context = interpreter::exchange_running_context(thread.thread_state, nullptr);
        self->pimpl->activation = nullptr;
        self->pimpl->phase = Phase::finished;
    }
    if (std::exchange(self->pimpl->holds_itself, false)) [[unlikely]] {
        Py_DECREF(self);
    }
    thread.remove_active(activation);
    thread.vacated = &activation;
    thread.origin = thread.current;
    thread.current = target;
    exchange(*self->pimpl, activation, *target->pimpl, payload, thread.thread_state, stackful::Leaving::for_ever);
    __builtin_unreachable();
}

// Ends the running greenlet: passes the result, or the exception in flight, to its parent, for ever.
[[noreturn]] void finish_greenlet(Thread& thread, PyGreenlet* self, PyObject* result_of_run) {
    bool is_coroutine = self->pimpl->is_coroutine;
    Reference result = Reference::steal(is_coroutine ? settle(self, result_of_run) : result_of_run);
    bool is_exit = !result && !is_coroutine && PyErr_ExceptionMatches(thread.module->greenlet_exit);
    if (is_exit) {
        result = Reference::steal(interpreter::take_exception(true));
    }
    if (interpreter::has_leftovers(thread.thread_state)) {
        interpreter::PendingException in_flight;
        interpreter::clear_leftovers(thread.thread_state);
    }
    Reference parent = Reference::steal(get_parent(self));
    if (self->pimpl->resumer == nullptr && parent && can_go_on(thread, self, as_greenlet(parent.get()))) [[likely]] {
        leave(thread, self, as_greenlet(parent.release()), result.release());
    }
    parent = Reference();
    bool starts = false;
    Start start;
    PyGreenlet* target = successor(thread, self, result, is_exit, start, starts);
    if (!starts) {
        start = Start{};  // of one that could not be started
    }
    leave(thread, self, target, starts ? static_cast<void*>(&start) : result.release());
}

// The first function on a greenlet's stack. Not noexcept, and without destructors of its own: a thread that is ended by
// pthread_exit() unwinds it.
void run_greenlet(void* payload) {
    stackful::entered();
    Start& start = *static_cast<Start*>(payload);
    Thread& thread = *start.thread;
    PyGreenlet* self = thread.current;
    PyObject* result = call_run(thread, self, start);
    finish_greenlet(thread, self, result);
}

// Suspends the current greenlet and goes on with `target`: passes a value to an active one, a Start to one that was prepared.
inline PyObject* resume(Thread& thread, Reference target, void* payload, interpreter::CallSite call_site) {
    interpreter::CriticalSections critical_sections;
    critical_sections.suspend(thread.thread_state);
    Greenlet& from = *thread.current->pimpl;
    Activation& activation = *from.activation;
    activation.call_site = call_site;
    Greenlet& to = *as_greenlet(target.get())->pimpl;
    set_current(thread, std::move(target));
    void* received = exchange(from, activation, to, payload, thread.thread_state, stackful::Leaving::for_a_while);
    critical_sections.resume(thread.thread_state);
    return resumed(thread, activation, received);
}

PyObject* launch(Thread& thread, Reference target, Start& start, interpreter::CallSite call_site) {
    thread.current->pimpl->activation->awaited = as_greenlet(target.get())->pimpl->coroutine;
    return resume(thread, std::move(target), &start, call_site);
}

// Fails as a test asked for.
bool fails(PyGreenlet* g) {
    switch (g->pimpl->fault) {
        case Fault::none:
            return false;
        case Fault::error:
            break;
        case Fault::fatal_error:
            Py_FatalError("greenlet: switching stacks failed, as it was told to");
    }
    PyErr_SetString(PyExc_SystemError, is_started(g) ? "Failed to switch stacks into a running greenlet."
                                                     : "Failed to switch stacks into a greenlet for the first time.");
    return true;
}

}  // namespace

PyObject* as_value(const Message& message, ModuleState& module) noexcept {
    if (message.is_exception) {
        return nullptr;
    }
    Py_ssize_t names = message.keyword_names != nullptr ? PyTuple_GET_SIZE(message.keyword_names) : 0;
    Reference keywords;
    if (names > 0) {
        keywords = Reference::steal(PyDict_New());
        for (Py_ssize_t i = 0; keywords && i < names; ++i) {
            if (PyDict_SetItem(keywords.get(), PyTuple_GET_ITEM(message.keyword_names, i),
                               message.arguments[message.positional + i]) < 0) {
                return nullptr;
            }
        }
        if (!keywords) {
            return nullptr;
        }
    }
    else if (message.keywords != nullptr && PyDict_GET_SIZE(message.keywords) > 0) {
        keywords = Reference::borrow(message.keywords);
    }
    if (message.positional == 0) {
        return keywords ? keywords.release() : Py_NewRef(module.no_arguments);
    }
    if (message.positional == 1 && !keywords) {
        return Py_NewRef(message.arguments[0]);
    }
    Reference positional = Reference::steal(PyTuple_New(message.positional));
    if (!positional) {
        return nullptr;
    }
    for (Py_ssize_t i = 0; i < message.positional; ++i) {
        PyTuple_SET_ITEM(positional.get(), i, Py_NewRef(message.arguments[i]));
    }
    return keywords ? PyTuple_Pack(2, positional.get(), keywords.get()) : positional.release();
}

PyObject* transfer(Thread& thread, PyGreenlet* target, PyObject* value, interpreter::CallSite call_site) noexcept {
    return resume(thread, Reference::to(as_object(target)), value, call_site);
}

PyObject* transfer_reference(Thread& thread, PyGreenlet* target, PyObject* value,
                             interpreter::CallSite call_site) noexcept {
    return resume(thread, Reference::steal(as_object(target)), value, call_site);
}

#ifdef GREENLET_TRANSFER_JUMPING
extern "C" [[gnu::used, gnu::visibility("hidden")]] PyObject* core_transfer(
    Thread& thread, PyGreenlet* target, PyObject* value, interpreter::CallSite call_site) noexcept {
    return transfer_reference(thread, target, value, call_site);
}
#endif

PyObject* switch_to(PyGreenlet* g, const Message& message) noexcept {
    return switch_to(Reference::to(as_object(g)), message, message.call_site());
}

PyObject* switch_to(Reference target, const Message& message, interpreter::CallSite call_site) noexcept {
    Thread* thread = Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    thread->kill_released();
    if (!may_switch_to(as_greenlet(target.get()), *thread)) {
        return nullptr;
    }
    while (target) {
        PyGreenlet* next = as_greenlet(target.get());
        if (next->pimpl->phase != Phase::finished && fails(next)) {
            return nullptr;
        }
        if (is_active(next)) {
            if (next->pimpl->thread != thread) {  // it was started elsewhere meanwhile
                refuse_switch_to(next, *thread);
                return nullptr;
            }
            PyObject* value = as_value(message, *thread->module);
            if (value == nullptr && !message.is_exception) {
                return nullptr;
            }
            if (!is_active(next)) {  // any more
                Py_XDECREF(value);
                continue;
            }
            if (next == thread->current) {
                return thread->tracer != nullptr ? trace(*thread, next, next, value) : value;
            }
            return resume(*thread, std::move(target), value, call_site);
        }
        if (!is_started(next)) {
            Start start;
            switch (prepare_start(*thread, next, message, start)) {
                case Preparation::ready:
                    return launch(*thread, std::move(target), start, call_site);
                case Preparation::failed:
                    return nullptr;
                case Preparation::already_started:
                    continue;
            }
        }
        target = Reference::steal(get_parent(next));
    }
    PyErr_SetString(thread->module->error, "cannot switch to a garbage collected greenlet");
    return nullptr;
}

PyObject* throw_in_flight(PyGreenlet* g) noexcept {
    Thread* thread = Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    if (g->pimpl->phase == Phase::finished && PyErr_ExceptionMatches(thread->module->greenlet_exit)) {
        Reference exception = Reference::steal(interpreter::take_exception(true));
        PyObject* value = exception.get();
        Message message{&value, 1};
        message.is_exit = true;
        return switch_to(g, message);
    }
    return switch_to(g, Message::exception());
}

bool must_be_killed_later(PyGreenlet* g) noexcept {
    Thread* thread = g->pimpl->thread;
    if (thread->thread_state == nullptr || interpreter::is_finalizing()) {
        return false;
    }
    return thread->thread_state != interpreter::current_thread_state() || thread->postpones_kills;
}

namespace {

// Puts in flight what kills a greenlet.
void raise_exit(const PyGreenlet* g, const Thread& thread, bool condemned) {
    if (g->pimpl->is_coroutine) {
        PyErr_SetNone(PyExc_GeneratorExit);
        if (is_active(g) && thread.current != g) {
            interpreter::add_context_of(thread.thread_state, g->pimpl->activation->state);
        }
    }
    else {
        PyErr_SetString(condemned ? thread.module->garbage_exit : thread.module->greenlet_exit,
                        "Killing the greenlet because all references have vanished.");
    }
}

}  // namespace

void kill(PyGreenlet* g, bool condemned) noexcept {
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
        if (!thread->kill_later(g, condemned)) {
            abandon(g);
            Py_DECREF(g);
        }
        return;
    }
    raise_exit(outermost_resumer(g), *thread, condemned);  // first, because the exception's methods may be a program's
    if (!is_active(g) || thread->current == g) {
        PyErr_Clear();
        return;
    }
    PyGreenlet* victim = g;
    // It returns to here, whatever its parent is.
    g = outermost_resumer(g);  // which passes the exception on
    Reference held = Reference::borrow(g != victim ? as_object(g) : nullptr);  // nobody else may refer to it when it has done so
    if (g->pimpl->is_main || is_ancestor(g, thread->current)) {
        PyErr_Clear();  // it is no garbage, whoever said so
        return;
    }
    Reference parent = Reference::steal(exchange_parent(g, Py_NewRef(as_object(thread->current))));
    std::size_t parent_changes = thread->module->parent_changes.load(std::memory_order_relaxed);
    PyObject* result = transfer(*thread, g, nullptr, {});
    // The parent may have become a child meanwhile. Then it does not come back: there would be a cycle.
    bool is_as_before = thread->module->parent_changes.load(std::memory_order_relaxed) == parent_changes;
    if (is_as_before || !is_ancestor(g, as_greenlet(parent.get()))) {
        parent = Reference::steal(exchange_parent(g, parent.release()));
    }
    parent = Reference();  // at once: what follows may run code that never comes back
    if (result == nullptr) {
        PyErr_WriteUnraisable(as_object(g));
    }
    Py_XDECREF(result);
    if (condemned && is_active(victim)) {
        keep_survivor(victim);
    }
}

}  // namespace core
