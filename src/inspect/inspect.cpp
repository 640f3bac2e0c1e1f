#include "inspect/inspect.hpp"

#include "core/reference.hpp"
#include "core/thread.hpp"
#include "inspect/listing.hpp"
#include "inspect/native.hpp"
#include "inspect/outside.hpp"
#include "inspect/recording/functions.hpp"
#include "inspect/statistics.hpp"
#include "inspect/watch.hpp"
#include "python/define.hpp"

namespace inspect {

namespace {

PyDoc_STRVAR(greenlets_doc,
"_greenlets(thread=None, /)\n--\n\n"
"Return the active greenlets of this interpreter as a list, or those of the thread with an identifier.");

PyDoc_STRVAR(place_doc,
"_place(greenlet, /)\n--\n\n"
"Return what a greenlet is (\"main\", \"greenlet\", \"tasklet\" or a kind of coroutine), its phase, its\n"
"thread's identifier or None, whether that thread is the running one, and the callable that the greenlet\n"
"or its tasklet runs, or None.");

PyDoc_STRVAR(native_stack_doc,
"_native_stack(greenlet, /)\n--\n\n"
"Return (function or None, file or None, offset in the function or else in the file) for each call of a\n"
"greenlet's C stack, innermost first. None if it can't be seen.");

PyDoc_STRVAR(thread_counts_doc,
"_thread_counts()\n--\n\n"
"Return a tuple for each thread: identifier, whether it has ended, started, finished, switches, free stacks.");

PyDoc_STRVAR(stack_usage_doc,
"_stack_usage()\n--\n\n"
"Return slots, slots in use, bytes reserved, resident, of page tables, of the deepest stack.");

PyDoc_STRVAR(start_watch_doc,
"_start_watch(nanoseconds, function, /)\n--\n\n"
"Call function(watch) in a thread of its own, and return the watch: for _wait_for_blocks().");

PyDoc_STRVAR(wait_for_blocks_doc,
"_wait_for_blocks(watch, /)\n--\n\n"
"Wait until threads had no switch for the watch's time. Return a tuple for each: identifier, id() of the\n"
"current greenlet, nanoseconds, switches. None after _stop_watch().");

PyDoc_STRVAR(stop_watch_doc,
"_stop_watch(watch, /)\n--\n\n"
"End a watch, and wait for its thread unless this is it.");

PyDoc_STRVAR(start_recording_doc,
"_start_recording(descriptor, size, /)\n--\n\n"
"Record switches into an open file, which gets this size in bytes, and return the recording's number.");

PyDoc_STRVAR(stop_recording_doc,
"_stop_recording(number, /)\n--\n\n"
"End a recording. False if it has ended already, or belongs to the process that this one was forked from.");

PyMethodDef functions[] = {
    {"_greenlets", python::as_method(greenlets), METH_FASTCALL, greenlets_doc},
    {"_place", place, METH_O, place_doc},
    {"_native_stack", native_stack, METH_O, native_stack_doc},
    {"_thread_counts", thread_counts, METH_NOARGS, thread_counts_doc},
    {"_stack_usage", stack_usage, METH_NOARGS, stack_usage_doc},
    {"_start_watch", python::as_method(start_watch), METH_FASTCALL, start_watch_doc},
    {"_wait_for_blocks", wait_for_blocks, METH_O, wait_for_blocks_doc},
    {"_stop_watch", stop_watch, METH_O, stop_watch_doc},
    {"_start_recording", python::as_method(recording::start), METH_VARARGS, start_recording_doc},
    {"_stop_recording", python::as_method(recording::stop), METH_O, stop_recording_doc},
    {},
};

}  // namespace

int add_to(PyObject* module) noexcept {
    core::Reference names = core::Reference::steal(
        python::add_namespace(module, "inspect", "greenlet.inspect", functions));
    bool is_added = names && PyModule_AddIntConstant(names.get(), "TRACEMALLOC_DOMAIN", core::stack_memory_domain) == 0;
    return is_added ? add_outside_to(module) : -1;
}

}  // namespace inspect
