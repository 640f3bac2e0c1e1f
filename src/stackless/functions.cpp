// The functions of the layer.

#include <memory>
#include <new>
#include <utility>

#include "core/reference.hpp"
#include "interpreter/threading/threads.hpp"
#include "python/arguments.hpp"
#include "python/define.hpp"
#include "stackless/run.hpp"
#include "stackless/scheduler.hpp"
#include "stackless/thread_life.hpp"

namespace stackless {

using core::Reference;
using interpreter::Holding;
using python::as_method;

namespace {

using Arguments = PyObject* const*;

// What one instruction of Stackless Python's virtual machine counts as: timeouts are given in instructions.
constexpr std::int64_t nanoseconds_per_instruction = 20;

// The argument `retval` of schedule() and schedule_remove(), the current tasklet if it is not given: borrowed. nullptr
// with TypeError if there is anything else.
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
"Run the other tasklets of the thread until none of them is runnable any more.\n\n"
"Any tasklet may call it. Such calls nest: the innermost one returns first.\n\n"
"Parameters:\n"
"    timeout: interrupt a tasklet that has run for so long without a switch. In instructions of Stackless\n"
"        Python's, of which each counts as 20 nanoseconds; 0 for never. A run() with a timeout within\n"
"        another one has none.\n"
"    threadblock: if there are other threads, wait for them to make a tasklet of this one runnable. It\n"
"        returns when a tasklet has ended and no other one is runnable.\n"
"    soft: interrupt no tasklet, but return at the next switch.\n"
"    ignore_nesting: of no effect: a tasklet can be interrupted however its calls are nested.\n"
"    totaltimeout: the timeout is for all tasklets together.\n"
"Returns:\n"
"    The tasklet that was interrupted, which is now paused; or None.\n"
"Raises:\n"
"    RuntimeError: switches are trapped, see switch_trap().\n"
"    What a tasklet raised and did not catch; that tasklet has ended.");

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
"schedule($module, /, retval=<the current tasklet>)\n--\n\n"
"Let the next tasklet run; the current one is put at the end of the runnable ones.\n\n"
"Returns:\n"
"    retval, or what the attribute tempval of the tasklet was set to meanwhile.\n"
"Raises:\n"
"    RuntimeError: switches are trapped, see switch_trap().\n"
"    Whatever is raised in the tasklet meanwhile.");

PyObject* schedule(PyObject*, Arguments args, Py_ssize_t count, PyObject* names) {
    Scheduler* s = Scheduler::running();
    if (s == nullptr) {
        return nullptr;
    }
    s->thread->run_kill_queue();  // which may end the current tasklet
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
        s->runnable.rotate_to(self->in_chain.next);
    }
    if (!old.is_empty()) [[unlikely]] {
        return s->let_go_and_go_on(self, old.release(), nullptr, {args, count, names});
    }
    return s->go_on(self, s->runnable.first(), {args, count, names});
}

PyDoc_STRVAR(schedule_remove_doc,
"schedule_remove($module, /, retval=<the current tasklet>)\n--\n\n"
"Let the next tasklet run; the current one is paused, until it is inserted, run or switched to.\n\n"
"Returns:\n"
"    retval, or what the attribute tempval of the tasklet was set to meanwhile.\n"
"Raises:\n"
"    RuntimeError: no other tasklet could run: a deadlock. Or switches are trapped, see switch_trap().\n"
"    Whatever is raised in the tasklet meanwhile.");

PyObject* schedule_remove(PyObject*, Arguments args, Py_ssize_t count, PyObject* names) {
    Scheduler* s = Scheduler::running();
    if (s == nullptr) {
        return nullptr;
    }
    s->thread->run_kill_queue();  // which may end the current tasklet
    PyObject* value = parse_retval(*s, "schedule_remove", args, count, names);
    if (value == nullptr || !s->may_switch()) {
        return nullptr;
    }
    {
        Outcome old;
        Holding lock(tasklets_lock);
        old = s->current->outcome.exchange(Outcome::value(Py_NewRef(value)));
    }
    return s->pause({args, count, names});
}

// --- what there is ---------------------------------------------------------------------------------------------------

PyDoc_STRVAR(getcurrent_doc,
"getcurrent($module, /)\n--\n\n"
"The tasklet that runs.");

PyObject* getcurrent(PyObject*, PyObject*) {
    Scheduler* s = Scheduler::running();
    return s != nullptr ? Py_NewRef(as_object(s->current)) : nullptr;
}

PyDoc_STRVAR(getmain_doc,
"getmain($module, /)\n--\n\n"
"The main tasklet of the thread: what it does when it runs no other one.");

PyObject* getmain(PyObject*, PyObject*) {
    Scheduler* s = Scheduler::running();
    return s != nullptr ? Py_NewRef(as_object(s->main)) : nullptr;
}

PyDoc_STRVAR(getruncount_doc,
"getruncount($module, /)\n--\n\n"
"How many tasklets of the thread are runnable, the current one included.");

PyObject* getruncount(PyObject*, PyObject*) {
    Scheduler* s = Scheduler::running();
    return s != nullptr ? PyLong_FromSsize_t(s->runnable.count()) : nullptr;
}

PyDoc_STRVAR(get_thread_info_doc,
"get_thread_info($module, thread_id=-1, /)\n--\n\n"
"Parameters:\n"
"    thread_id: the thread; the running one if -1 or None.\n"
"Returns:\n"
"    The main tasklet of a thread, its current one, and how many are runnable. Where threads do not take\n"
"    turns, (None, None, 0) for one that has not used tasklets.\n"
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
        auto* s = reinterpret_cast<Scheduler*>(found.get());
        exists = s->thread != nullptr;  // else it has ended meanwhile
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
"The ids of all threads of the interpreter, the main one's first.");

PyObject* get_threads(PyObject*, PyObject*) {
    Py_ssize_t expected = 0, count = 0;
    interpreter::for_each_thread([&expected](unsigned long) { ++expected; });
    std::unique_ptr<unsigned long[]> ids(new (std::nothrow) unsigned long[static_cast<std::size_t>(expected)]);
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
"Change the level of the trap. While it is above zero, RuntimeError is raised where the thread would switch.\n\n"
"Returns:\n"
"    The level until now.");

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
    if (s->switch_trap <= 0 && s->interrupt_is_due && !s->interrupt()) {
        return nullptr;
    }
    return PyLong_FromLong(old);
}

// Sets one of the callbacks, to nullptr for None. Returns the one before, or None.
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
"Have a function called whenever a tasklet sends or receives, in any thread; None for none.\n\n"
"Parameters:\n"
"    callable: called as callable(channel, tasklet, sending, willblock), with the tasklet that does it,\n"
"        and willblock true if it has to wait; the attribute tempval of the tasklet is what it sends. It\n"
"        can't use channels or switch. What it raises is raised there, and nothing is sent.\n"
"Returns:\n"
"    The function until now, or None.\n"
"Raises:\n"
"    TypeError: it is neither callable nor None.");

PyObject* set_channel_callback(PyObject*, PyObject* value) {
    return exchange_callback(&State::channel_callback, value);
}

PyDoc_STRVAR(get_channel_callback_doc,
"get_channel_callback($module, /)\n--\n\n"
"What set_channel_callback() has set, or None.");

PyObject* get_channel_callback(PyObject*, PyObject*) { return get_callback(&State::channel_callback); }

PyDoc_STRVAR(set_schedule_callback_doc,
"set_schedule_callback($module, callable, /)\n--\n\n"
"Have a function called at each switch, in any thread; None for none.\n\n"
"Parameters:\n"
"    callable: called as callable(prev, next) with the tasklet that ran and the one that will, before the\n"
"        switch. It can't switch itself. What it raises is reported by sys.unraisablehook().\n"
"Returns:\n"
"    The function until now, or None.\n"
"Raises:\n"
"    TypeError: it is neither callable nor None.");

PyObject* set_schedule_callback(PyObject*, PyObject* value) {
    return exchange_callback(&State::schedule_callback, value);
}

PyDoc_STRVAR(get_schedule_callback_doc,
"get_schedule_callback($module, /)\n--\n\n"
"What set_schedule_callback() has set, or None.");

PyObject* get_schedule_callback(PyObject*, PyObject*) { return get_callback(&State::schedule_callback); }

PyDoc_STRVAR(set_error_handler_doc,
"set_error_handler($module, handler, /)\n--\n\n"
"Have a function called when a tasklet ends with an exception other than TaskletExit; None for none.\n\n"
"Parameters:\n"
"    handler: called as handler(type, value, traceback) in the tasklet. When it returns, the tasklet has\n"
"        ended well; what it raises is raised out of run() instead of the exception.\n"
"Returns:\n"
"    The function until now, or None.\n"
"Raises:\n"
"    TypeError: it is neither callable nor None.");

PyObject* set_error_handler(PyObject*, PyObject* value) { return exchange_callback(&State::error_handler, value); }

// --- the end ---------------------------------------------------------------------------------------------------------

PyDoc_STRVAR(kill_all_doc,
"_kill_all($module, /)\n--\n\n"
"Kill the tasklets of the thread that have begun to run. Called before the interpreter ends.");

PyObject* kill_all(PyObject*, PyObject*) {
    core::Thread* thread = core::Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    if (layer_object(*thread).object != nullptr) {
        kill_active(*reinterpret_cast<Scheduler*>(layer_object(*thread).object));
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
