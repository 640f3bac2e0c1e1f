#include "stackless/functions.hpp"

#include <memory>
#include <utility>

#include "core/reference.hpp"
#include "interpreter/threading/threads.hpp"
#include "python/arguments.hpp"
#include "python/define.hpp"
#include "stackful/heap.hpp"
#include "stackless/operations.hpp"
#include "stackless/run.hpp"
#include "stackless/scheduler.hpp"
#include "stackless/thread_end.hpp"
#include "stackless/turn.hpp"

namespace stackless {

using core::Reference;
using interpreter::Holding;
using python::as_method;

namespace {

using Arguments = PyObject* const*;

// Timeouts are given in instructions of Stackless Python's virtual machine. Each counts as this long.
constexpr std::int64_t nanoseconds_per_instruction = 20;

// Borrows the only argument `retval`, or the current tasklet if there is none. nullptr with TypeError for others.
PyObject* parse_retval(Scheduler& s, const char* name, Arguments args, Py_ssize_t count, PyObject* names) noexcept {
    Py_ssize_t named = names != nullptr ? PyTuple_GET_SIZE(names) : 0;
    if (count + named == 0) [[likely]] {
        return as_object(s.current);
    }
    if (!python::check_count(name, count + named, 0, 1)) {
        return nullptr;
    }
    if (named == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "retval") != 0) {
        PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument %R", name, PyTuple_GET_ITEM(names, 0));
        return nullptr;
    }
    return args[0];
}

// --- running ---------------------------------------------------------------------------------------------------------

PyDoc_STRVAR(run_doc,
"run($module, /, timeout=0, threadblock=False, soft=False, ignore_nesting=False, totaltimeout=False)\n--\n\n"
"Run the other tasklets of the thread until none of them is runnable.\n\n"
"Any tasklet may call it. Calls nest: the innermost one returns first.\n\n"
"Parameters:\n"
"    timeout: interrupt a tasklet that has run for so long without a switch. The unit is 20 nanoseconds,\n"
"        for one instruction of Stackless Python; 0 means never. In a run() with a timeout, the timeout\n"
"        of an inner run() is ignored.\n"
"    threadblock: if there are other threads, wait for them to make a tasklet of this one runnable. run()\n"
"        then returns when a tasklet has ended and no other one is runnable.\n"
"    soft: interrupt no tasklet, but return when an overdue one yields.\n"
"    ignore_nesting: has no effect. A tasklet can be interrupted at any depth of calls.\n"
"    totaltimeout: the timeout is for all tasklets together.\n"
"Returns:\n"
"    The interrupted tasklet, which is paused now; or None.\n"
"Raises:\n"
"    RuntimeError: switches are trapped, see switch_trap().\n"
"    An exception that a tasklet raised and did not catch. The tasklet has ended.");

PyObject* run(PyObject*, PyObject* args, PyObject* kwargs) {
    static const char* names[] = {"timeout", "threadblock", "soft", "ignore_nesting", "totaltimeout", nullptr};
    long long timeout = 0;
    int threadblock = 0, soft = 0, ignore_nesting = 0, total = 0;
    if (!python::parse(args, kwargs, "|Lpppp:run", names, &timeout, &threadblock, &soft, &ignore_nesting, &total)) {
        return nullptr;
    }
    Scheduler* s = Scheduler::running();
    if (s == nullptr) {
        return nullptr;
    }
    if (timeout < 0 || timeout > INT64_MAX / (2 * nanoseconds_per_instruction)) {
        PyErr_SetString(PyExc_ValueError, "timeout is negative or too large");
        return nullptr;
    }
    Run run = {};
    run.blocks_thread = threadblock != 0;
    run.timeout = timeout * nanoseconds_per_instruction;
    run.is_soft = soft != 0;
    run.is_total = total != 0;
    return run_others(*s, run, {});
}

PyDoc_STRVAR(schedule_doc,
"schedule($module, /, retval=...)\n--\n\n"
"Run the next tasklet. The current one moves to the end of the runnable ones.\n\n"
"Parameters:\n    retval: what the call returns in the end; by default the current tasklet.\n"
"Returns:\n"
"    retval, or the value that the tasklet's attribute tempval was set to meanwhile.\n"
"Raises:\n"
"    RuntimeError: switches are trapped, see switch_trap().\n"
"    Any exception that is thrown into the tasklet meanwhile.");

PyObject* schedule(PyObject*, Arguments args, Py_ssize_t count, PyObject* names) {
    Scheduler* s = Scheduler::running();
    if (s == nullptr) {
        return nullptr;
    }
    s->thread->run_kill_queue();  // may end the current tasklet
    PyObject* value = parse_retval(*s, "schedule", args, count, names);
    if (value == nullptr) {
        return nullptr;
    }
    Tasklet* self = s->current;
    if (s->runnable.count() == 1 && s->watchdog == nullptr) {
        return Py_NewRef(value);
    }
    if (!s->may_switch()) [[unlikely]] {
        return nullptr;
    }
    Outcome old;
    {
        Holding lock(tasklets_lock);
        old = self->outcome.exchange(Outcome::value(Py_NewRef(value)));
        s->runnable.rotate_to(self->chain_link.next);
    }
    if (!old.is_empty()) [[unlikely]] {
        return release_and_switch(*s, self, old.release(), nullptr, {args, count, names});
    }
    return switch_tasklets(*s, self, s->runnable.first(), {args, count, names});
}

PyDoc_STRVAR(schedule_remove_doc,
"schedule_remove($module, /, retval=...)\n--\n\n"
"Run the next tasklet. The current one is paused until it is inserted, run or switched to.\n\n"
"Parameters:\n    retval: what the call returns in the end; by default the current tasklet.\n"
"Returns:\n"
"    retval, or the value that the tasklet's attribute tempval was set to meanwhile.\n"
"Raises:\n"
"    RuntimeError: no other tasklet can run (a deadlock), or switches are trapped, see switch_trap().\n"
"    Any exception that is thrown into the tasklet meanwhile.");

PyObject* schedule_remove(PyObject*, Arguments args, Py_ssize_t count, PyObject* names) {
    Scheduler* s = Scheduler::running();
    if (s == nullptr) {
        return nullptr;
    }
    s->thread->run_kill_queue();  // may end the current tasklet
    PyObject* value = parse_retval(*s, "schedule_remove", args, count, names);
    if (value == nullptr || !s->may_switch()) {
        return nullptr;
    }
    {
        Outcome old;
        Holding lock(tasklets_lock);
        old = s->current->outcome.exchange(Outcome::value(Py_NewRef(value)));
    }
    return pause_unowned(*s, {args, count, names});
}

// --- queries ---------------------------------------------------------------------------------------------------------

PyDoc_STRVAR(getcurrent_doc,
"getcurrent($module, /)\n--\n\n"
"Return the running tasklet.");

PyObject* getcurrent(PyObject*, PyObject*) {
    Scheduler* s = Scheduler::running();
    return s != nullptr ? Py_NewRef(as_object(s->current)) : nullptr;
}

PyDoc_STRVAR(getmain_doc,
"getmain($module, /)\n--\n\n"
"Return the main tasklet of the thread: its code outside all other tasklets.");

PyObject* getmain(PyObject*, PyObject*) {
    Scheduler* s = Scheduler::running();
    return s != nullptr ? Py_NewRef(as_object(s->main)) : nullptr;
}

PyDoc_STRVAR(getruncount_doc,
"getruncount($module, /)\n--\n\n"
"Return how many tasklets of the thread are runnable, including the current one.");

PyObject* getruncount(PyObject*, PyObject*) {
    Scheduler* s = Scheduler::running();
    return s != nullptr ? PyLong_FromSsize_t(s->runnable.count()) : nullptr;
}

PyDoc_STRVAR(get_thread_info_doc,
"get_thread_info($module, thread_id=-1, /)\n--\n\n"
"Return the state of a thread's scheduler.\n\n"
"Parameters:\n"
"    thread_id: the identifier of the thread; the running one if -1 or None.\n"
"Returns:\n"
"    A tuple: the main tasklet, the current one, and the number of runnable ones. On free-threaded CPython\n"
"    (None, None, 0) for a thread that has not used tasklets.\n"
"Raises:\n"
"    RuntimeError: there is no such thread.");

PyObject* get_thread_info(PyObject*, Arguments args, Py_ssize_t count) {
    Scheduler* running = Scheduler::running();
    if (running == nullptr || !python::check_count("get_thread_info", count, 0, 1)) {
        return nullptr;
    }
    unsigned long id = running->thread_id;
    if (count == 1 && !parse_thread_id(args[0], id)) {
        return nullptr;
    }
    Reference main, current;
    Py_ssize_t runnable = 0;
    bool exists = false;
    Reference found = Scheduler::of_thread(*running->state, id);
    if (found) {
        Holding lock(tasklets_lock);
        Scheduler* s = as_scheduler(found.get());
        exists = s->thread != nullptr;  // else the thread has ended meanwhile
        main = Reference::borrow(as_object(s->main));
        current = Reference::borrow(as_object(s->current));
        runnable = s->runnable.count();
    }
    if (!exists) {
        interpreter::for_each_thread([&exists, id](unsigned long other) { exists = exists || other == id; });
    }
    if (!exists) {
        PyErr_SetString(PyExc_RuntimeError, "there is no thread with this id");
        return nullptr;
    }
    return Py_BuildValue("OOn", main ? main.get() : Py_None, current ? current.get() : Py_None, runnable);
}

PyDoc_STRVAR(get_threads_doc,
"_get_threads($module, /)\n--\n\n"
"Return the identifiers of all threads of the interpreter, the main thread's first.");

PyObject* get_threads(PyObject*, PyObject*) {
    Py_ssize_t expected = 0, count = 0;
    interpreter::for_each_thread([&expected](unsigned long) { ++expected; });
    std::unique_ptr<unsigned long[], stackful::DestroyArray> ids(
        new (stackful::heap) unsigned long[static_cast<std::size_t>(expected)]);
    if (ids == nullptr) {
        return PyErr_NoMemory();
    }
    interpreter::for_each_thread([&](unsigned long id) {
        if (count < expected) {
            ids[count++] = id;
        }
    });
    Reference list = Reference::steal(PyList_New(count));
    for (Py_ssize_t i = 0; list && i < count; ++i) {
        PyObject* number = PyLong_FromUnsignedLong(ids[count - 1 - i]);
        if (number == nullptr) {
            return nullptr;
        }
        PyList_SET_ITEM(list.get(), i, number);
    }
    return list.release();
}

// --- settings --------------------------------------------------------------------------------------------------------

PyDoc_STRVAR(switch_trap_doc,
"switch_trap($module, change=0, /)\n--\n\n"
"Change the level of the trap. While it is above zero, a switch in this thread raises RuntimeError.\n\n"
"Parameters:\n    change: what is added to the level.\n"
"Returns:\n    The previous level.");

PyObject* switch_trap(PyObject*, Arguments args, Py_ssize_t count) {
    Scheduler* s = Scheduler::running();
    if (s == nullptr || !python::check_count("switch_trap", count, 0, 1)) {
        return nullptr;
    }
    long change = count > 0 ? PyLong_AsLong(args[0]) : 0;
    if (change == -1 && PyErr_Occurred()) {
        return nullptr;
    }
    long old = s->switch_trap;
    s->switch_trap += change;
    if (s->switch_trap <= 0 && !interrupt_if_due(*s)) {
        return nullptr;
    }
    return PyLong_FromLong(old);
}

// Sets one of the callbacks. Returns the previous one. None stands for no callback.
PyObject* exchange_callback(State::Callback State::* callback, PyObject* value) noexcept {
    core::ModuleState* module = core::ModuleState::of_interpreter();
    if (module == nullptr) {
        return nullptr;
    }
    if (value != Py_None && !PyCallable_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "a callable or None is needed");
        return nullptr;
    }
    Holding lock(tasklets_lock);
    PyObject* old = (layer.of(*module).*callback).exchange(value != Py_None ? Py_NewRef(value) : nullptr);
    return old != nullptr ? old : Py_NewRef(Py_None);
}

PyObject* get_callback(State::Callback State::* callback) noexcept {
    core::ModuleState* module = core::ModuleState::of_interpreter();
    if (module == nullptr) {
        return nullptr;
    }
    Reference value = layer.of(*module).get(callback);
    return value ? value.release() : Py_NewRef(Py_None);
}

PyDoc_STRVAR(set_channel_callback_doc,
"set_channel_callback($module, callable, /)\n--\n\n"
"Set a function that is called whenever a tasklet sends or receives, in any thread.\n\n"
"Parameters:\n"
"    callable: called as callable(channel, tasklet, sending, willblock); None for no function. tasklet\n"
"        sends (sending is true) or receives, and willblock is true if it has to wait. The tasklet's\n"
"        attribute tempval is the value that it sends. The function can't use channels or switch. An\n"
"        exception that it raises is raised by the operation, and no value is passed.\n"
"Returns:\n"
"    The previous function, or None.\n"
"Raises:\n"
"    TypeError: the argument is neither callable nor None.");

PyObject* set_channel_callback(PyObject*, PyObject* value) {
    return exchange_callback(&State::channel_callback, value);
}

PyDoc_STRVAR(get_channel_callback_doc,
"get_channel_callback($module, /)\n--\n\n"
"Return the function that set_channel_callback() has set, or None.");

PyObject* get_channel_callback(PyObject*, PyObject*) { return get_callback(&State::channel_callback); }

PyDoc_STRVAR(set_schedule_callback_doc,
"set_schedule_callback($module, callable, /)\n--\n\n"
"Set a function that is called before each switch, in any thread.\n\n"
"Parameters:\n"
"    callable: called as callable(prev, next), with the tasklet that runs and the one that will run; None\n"
"        for no function. It can't switch itself. sys.unraisablehook() reports the exceptions it raises.\n"
"Returns:\n"
"    The previous function, or None.\n"
"Raises:\n"
"    TypeError: the argument is neither callable nor None.");

PyObject* set_schedule_callback(PyObject*, PyObject* value) {
    return exchange_callback(&State::schedule_callback, value);
}

PyDoc_STRVAR(get_schedule_callback_doc,
"get_schedule_callback($module, /)\n--\n\n"
"Return the function that set_schedule_callback() has set, or None.");

PyObject* get_schedule_callback(PyObject*, PyObject*) { return get_callback(&State::schedule_callback); }

PyDoc_STRVAR(set_error_handler_doc,
"set_error_handler($module, handler, /)\n--\n\n"
"Set a function that is called when a tasklet ends with an exception other than TaskletExit.\n\n"
"Parameters:\n"
"    handler: called as handler(type, value, traceback) in the tasklet; None for no function. If it\n"
"        returns, the exception is dropped. If it raises another one, run() raises that one instead.\n"
"Returns:\n"
"    The previous function, or None.\n"
"Raises:\n"
"    TypeError: the argument is neither callable nor None.");

PyObject* set_error_handler(PyObject*, PyObject* value) { return exchange_callback(&State::error_handler, value); }

// --- the end ---------------------------------------------------------------------------------------------------------

PyDoc_STRVAR(kill_all_doc,
"_kill_all($module, /)\n--\n\n"
"Kill the active tasklets of the thread. To be called before the interpreter ends.");

PyObject* kill_all(PyObject*, PyObject*) {
    core::Thread* thread = core::Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    if (layer_object(*thread).object != nullptr) {
        kill_active(*as_scheduler(layer_object(*thread).object));
    }
    Py_RETURN_NONE;
}

}  // namespace

PyMethodDef functions[] = {
    {"run", as_method(run), METH_VARARGS | METH_KEYWORDS, run_doc},
    {"schedule", as_method(schedule), METH_FASTCALL | METH_KEYWORDS, schedule_doc},
    {"schedule_remove", as_method(schedule_remove), METH_FASTCALL | METH_KEYWORDS, schedule_remove_doc},
    {"getcurrent", getcurrent, METH_NOARGS, getcurrent_doc},
    {"getmain", getmain, METH_NOARGS, getmain_doc},
    {"getruncount", getruncount, METH_NOARGS, getruncount_doc},
    {"get_thread_info", as_method(get_thread_info), METH_FASTCALL, get_thread_info_doc},
    {"_get_threads", get_threads, METH_NOARGS, get_threads_doc},
    {"switch_trap", as_method(switch_trap), METH_FASTCALL, switch_trap_doc},
    {"set_channel_callback", set_channel_callback, METH_O, set_channel_callback_doc},
    {"get_channel_callback", get_channel_callback, METH_NOARGS, get_channel_callback_doc},
    {"set_schedule_callback", set_schedule_callback, METH_O, set_schedule_callback_doc},
    {"get_schedule_callback", get_schedule_callback, METH_NOARGS, get_schedule_callback_doc},
    {"set_error_handler", set_error_handler, METH_O, set_error_handler_doc},
    {"_kill_all", kill_all, METH_NOARGS, kill_all_doc},
    {},
};

}  // namespace stackless
