#include "core/start.hpp"

#include <new>

#include "core/finish.hpp"
#include "core/parent.hpp"
#include "core/transfer.hpp"
#include "interpreter/collector.hpp"
#include "interpreter/frames/early_release.hpp"
#include "interpreter/frames/link.hpp"
#include "interpreter/pending_exception.hpp"

namespace core {

namespace {

// Up to this many arguments are kept on the greenlet's own stack.
constexpr Py_ssize_t few = 6;

Py_ssize_t argument_count(const Message& message) noexcept {
    return message.positional + (message.keyword_names != nullptr ? PyTuple_GET_SIZE(message.keyword_names) : 0);
}

// Replaces a dictionary of keyword arguments with arguments and a tuple of names.
bool expand_keywords(Start& start) {
    Message& message = start.message;
    if (message.keywords == nullptr || PyDict_GET_SIZE(message.keywords) == 0) {
        return true;
    }
    // Without a GIL another thread may change the dictionary.
    Reference own = Reference::steal(interpreter::has_gil ? Py_NewRef(message.keywords)
                                                          : PyDict_Copy(message.keywords));
    if (!own) {
        return false;
    }
    PyObject* keywords = own.get();
    interpreter::CollectorPaused paused;  // a destructor may change the dictionary
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

// Finds what an unstarted greenlet will run. May run Python code, which may start the greenlet, or set a parent of
// another thread.
bool find_run(Thread& thread, PyGreenlet* g, Start& start) {
    if (Py_TYPE(g) == thread.module->greenlet_type) {
        interpreter::SharedReference run(as_object(g), g->pimpl->run);  // the lock under which it is started
        if (is_started(g)) {
            return true;  // prepare_start() notices
        }
        start.run = Reference::steal(run.get());
        if (start.run) {
            return true;
        }
    }
    {
        interpreter::PendingException in_flight;
        start.run = Reference::steal(PyObject_GetAttr(as_object(g), thread.module->name_run));
        if (!start.run && !interpreter::has_gil && is_started(g)) {
            PyErr_Clear();  // another thread started it meanwhile
            return true;
        }
        if (!start.run) {
            in_flight.discard();
        }
    }
    return start.run && (is_started(g) || may_switch_to(g, thread));
}

// The first function on a greenlet's stack.
void run_greenlet(void* payload);

// Lays out the slot and makes the greenlet active. False if another thread has started the greenlet meanwhile, which
// can only happen without a GIL.
bool activate(Thread& thread, PyGreenlet* g, stackful::Slot& slot) {
    static_assert(sizeof(Activation) % alignof(_PyStackChunk) == 0 &&
                  interpreter::size_of_link % alignof(_PyStackChunk) == 0);
    interpreter::ObjectLock lock(as_object(g));  // its context moves too, and another thread may ask for it
    if (!interpreter::has_gil && is_started(g)) {
        return false;
    }
    auto* activation = new (slot.client_begin()) Activation{};
    std::byte* after = slot.client_begin() + sizeof(Activation);
    std::byte* chunk = is_body(g) ? after + interpreter::size_of_link : after;
    PyObject* context = std::exchange(g->pimpl->context, nullptr);
    activation->slot = &slot;
    activation->greenlet = g;
    activation->state.begin(thread.thread_state, slot.stack_end(), slot.stack_base(), chunk, slot.client_end(),
                            context);
    if (is_body(g)) {
        activation->state.nest(thread.thread_state, after, thread.module->link_looks);
        activation->state.nest_in(thread.thread_state);
        g->pimpl->resumer->pimpl->activation->bodies += 1;
    }
    stackful::prepare(g->pimpl->execution, slot, run_greenlet);
    thread.share();
    thread.add_active(*activation);
    g->pimpl->thread = &thread;
    g->pimpl->activation = activation;
    g->pimpl->phase = Phase::active;
    return true;
}

}  // namespace

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
    // Code may have run, to find `run` and to get memory.
    if (is_started(g)) {
        return Preparation::already_started;
    }
    stackful::Slot* slot = thread.acquire_slot();
    if (slot == nullptr) {
        return Preparation::failed;
    }
    if (!activate(thread, g, *slot)) {
        thread.release_slot(slot);
        return Preparation::already_started;
    }
    return Preparation::ready;
}

namespace {

// Copies or moves the arguments to the new greenlet's stack. The greenlet that started it may be gone once other code
// runs.
inline void keep_arguments(const Message& message, Py_ssize_t count, PyObject** kept) noexcept {
    for (Py_ssize_t i = 0; i < count; ++i) {
        kept[i] = message.gives_arguments ? std::exchange(const_cast<PyObject**>(message.arguments)[i], nullptr)
                                          : Py_NewRef(message.arguments[i]);
    }
}

// Calls `run`. The frames of a coroutine's body lead on to its resumer's meanwhile.
inline PyObject* call_linked(Thread& thread, Activation& activation, PyObject* const* arguments,
                             std::size_t flagged_count, PyObject* keyword_names) {
    PyObject* run = activation.run;
    bool is_linked = activation.state.has_link() && !interpreter::looks_at_its_caller(run);
    if (!is_linked) [[likely]] {
        return PyObject_Vectorcall(run, arguments, flagged_count, keyword_names);
    }
    activation.state.begin_at_link(thread.thread_state);
    PyObject* result = PyObject_Vectorcall(run, arguments, flagged_count, keyword_names);
    if (result == nullptr) {
        interpreter::unlink_traceback(thread.thread_state, *activation.state.link);
    }
    activation.state.end_at_link(thread.thread_state);
    return result;
}

// Calls run(*arguments), in the new greenlet. Returns its result, or nullptr with an exception.
PyObject* call_run(Thread& thread, PyGreenlet* self, Start& start) {
    // Takes over what the starter owns before other code can run.
    Message message = start.message;
    Reference run = std::move(start.run);
    Reference many_arguments = std::move(start.many_arguments);
    Reference keyword_names = Reference::borrow(message.keyword_names);
    Py_ssize_t count = message.is_exception ? 0 : argument_count(message);
    PyObject* few_kept[1 + few];  // the first place is the callee's (PY_VECTORCALL_ARGUMENTS_OFFSET)
    PyObject** kept = few_kept;
    if (count > few && !many_arguments) {
        kept = static_cast<PyObject**>(__builtin_alloca(static_cast<std::size_t>(1 + count) * sizeof(PyObject*)));
    }
    PyObject* const* arguments = kept + 1;
    if (many_arguments) {
        kept[1] = many_arguments.get();
        arguments = message.arguments;
    }
    else {
        keep_arguments(message, count, kept + 1);
    }
    Activation& activation = *self->pimpl->activation;
    activation.argument_count = many_arguments ? 1 : static_cast<std::uint32_t>(count);
    activation.arguments = kept + 1;
    activation.run = run.get();

    // From here on other code may run: the trace function, and the destructor of a `run` attribute that was not used.
    PyObject* attribute = interpreter::SharedReference(as_object(self), self->pimpl->run).exchange(nullptr);
    if (thread.finished_activation != nullptr) [[unlikely]] {
        thread.return_finished_stack();  // its end has begun this greenlet; `start` lay there
    }
    PyObject* result = arrive(thread, message.is_exception ? nullptr : Py_None);
    Py_XDECREF(attribute);
    if (result != nullptr) {
        if (message.gives_arguments && interpreter::makes_own_references(run.get(), count)) {
            activation.argument_count = 0;
            for (Py_ssize_t i = std::exchange(count, 0); i > 0; --i) {
                interpreter::give_up(kept[i]);
            }
        }
        std::size_t offset_flag = many_arguments ? 0 : PY_VECTORCALL_ARGUMENTS_OFFSET;
        result = call_linked(thread, activation, arguments, static_cast<std::size_t>(message.positional) | offset_flag,
                             keyword_names.get());
    }
    activation.run = nullptr;
    activation.argument_count = 0;
    if (!many_arguments) {
        for (Py_ssize_t i = count; i > 0; --i) {  // in the order of a tuple
            Py_DECREF(kept[i]);
        }
    }
    return result;
}

// Not noexcept, and without destructors: pthread_exit() unwinds it.
void run_greenlet(void* payload) {
    stackful::entered();
    Start& start = *static_cast<Start*>(payload);
    Thread& thread = *start.thread;
    PyGreenlet* self = thread.current;
    PyObject* result = call_run(thread, self, start);
    finish_greenlet(thread, self, result);
}

}  // namespace

}  // namespace core
