// The C API: the functions of greenlet.h, and the capsule that leads clients to them.

#include <mutex>

#include "core/create.hpp"
#include "core/parent.hpp"
#include "core/switch.hpp"
#include "core/transfer.hpp"
#include "interpreter/pending_exception.hpp"
#include "interpreter/static_type.hpp"
#include "interpreter/thread_state.hpp"
#include "module/parts.hpp"
#include "stackful/mutex.hpp"

namespace module {

namespace {

using core::as_object;
using core::ModuleState;
using core::Thread;

constexpr const char* capsule_name = "greenlet._C_API";

// True for a greenlet. False with an exception for anything else that a client may pass, such as an instance on which
// greenlet.__new__() was never called.
bool check(PyGreenlet* g) noexcept {
    ModuleState* state = Thread::running_module();
    if (state == nullptr) {
        return false;
    }
    if (g == nullptr || !core::is_greenlet(as_object(g), *state)) {
        PyErr_BadArgument();
        return false;
    }
    return true;
}

// True if no exception is set: a switch would raise it in an unrelated greenlet. False with a SystemError whose cause
// is the exception.
bool check_no_exception() noexcept {
    if (!interpreter::is_exception_set(interpreter::current_thread_state())) [[likely]] {
        return true;
    }
    PyObject* cause = interpreter::take_exception();
    PyErr_SetString(PyExc_SystemError, "greenlet's C API was called with an exception set");
    PyObject* error = interpreter::take_exception();
    PyException_SetContext(error, Py_NewRef(cause));
    PyException_SetCause(error, cause);
    interpreter::put_exception(error);
    return false;
}

PyGreenlet* api_new(PyObject* run, PyGreenlet* parent) {
    Thread* thread = Thread::running();
    if (thread == nullptr || (parent != nullptr && !check(parent))) {
        return nullptr;
    }
    thread->run_kill_queue();
    PyGreenlet* g = core::create(thread->module->greenlet_type, *thread);
    if (g != nullptr && initialize(as_object(g), run, as_object(parent)) < 0) {
        Py_CLEAR(g);
    }
    return g;
}

PyGreenlet* api_get_current() { return core::as_greenlet(get_current()); }

PyObject* api_throw(PyGreenlet* g, PyObject* type, PyObject* value, PyObject* traceback) {
    return check(g) && check_no_exception() ? throw_into(as_object(g), type, value, traceback) : nullptr;
}

[[gnu::noinline]] PyObject* switch_with(PyGreenlet* g, PyObject* args, PyObject* kwargs) {
    core::Message message;
    if (args != nullptr) {
        if (!PyTuple_Check(args)) {
            PyErr_BadArgument();
            return nullptr;
        }
        message.positional = PyTuple_GET_SIZE(args);
        message.arguments = message.positional > 0 ? &PyTuple_GET_ITEM(args, 0) : nullptr;
    }
    if (kwargs != nullptr && PyDict_Check(kwargs)) {
        message.keywords = kwargs;
    }
    return core::switch_to(g, message);
}

PyObject* api_switch(PyGreenlet* g, PyObject* args, PyObject* kwargs) {
    if (!check(g) || !check_no_exception()) {
        return nullptr;
    }
    bool is_usual = kwargs == nullptr && (args == nullptr || PyTuple_CheckExact(args));
    if (is_usual && core::is_plain_switch(g)) [[likely]] {
        Thread& thread = *g->pimpl->thread;
        PyObject* value = args == nullptr               ? thread.module->no_arguments
                          : PyTuple_GET_SIZE(args) == 1 ? PyTuple_GET_ITEM(args, 0)
                                                        : args;
        return core::transfer(thread, g, Py_NewRef(value), {});
    }
    return switch_with(g, args, kwargs);
}

int api_set_parent(PyGreenlet* g, PyGreenlet* parent) { return check(g) ? core::set_parent(g, as_object(parent)) : -1; }

int api_main(PyGreenlet* g) { return check(g) ? core::is_main(g) : -1; }
int api_started(PyGreenlet* g) { return check(g) ? core::is_started(g) : -1; }
int api_active(PyGreenlet* g) { return check(g) ? core::is_active(g) : -1; }

PyGreenlet* api_get_parent(PyGreenlet* g) { return check(g) ? core::as_greenlet(core::get_parent(g)) : nullptr; }

// Each client has a single pointer to this table for the whole process, in however many interpreters it is loaded. It
// may use the pointer in destructors that run after everything else is gone. So the table is never freed, and its
// functions look up their interpreter. The class and the exceptions belong to the main interpreter, or to another one
// until the main interpreter imports the package.
void* table[PyGreenlet_API_pointers] = {
    nullptr,
    nullptr,
    nullptr,
    reinterpret_cast<void*>(api_new),
    reinterpret_cast<void*>(api_get_current),
    reinterpret_cast<void*>(api_throw),
    reinterpret_cast<void*>(api_switch),
    reinterpret_cast<void*>(api_set_parent),
    reinterpret_cast<void*>(api_main),
    reinterpret_cast<void*>(api_started),
    reinterpret_cast<void*>(api_active),
    reinterpret_cast<void*>(api_get_parent),
};
static_assert(PyGreenlet_New_NUM == 3 && PyGreenlet_GetCurrent_NUM == 4 && PyGreenlet_Throw_NUM == 5 &&
              PyGreenlet_Switch_NUM == 6 && PyGreenlet_SetParent_NUM == 7 && PyGreenlet_MAIN_NUM == 8 &&
              PyGreenlet_STARTED_NUM == 9 && PyGreenlet_ACTIVE_NUM == 10 && PyGreenlet_GET_PARENT_NUM == 11);

constinit stackful::Mutex changing_table;
const ModuleState* state_of_main = nullptr;  // the main interpreter's, or nullptr while it has none

// Keeps the reference permanently, because clients may use the table after their interpreter has ended.
void put(int entry, void* object) noexcept { table[entry] = Py_NewRef(static_cast<PyObject*>(object)); }

}  // namespace

PyObject* make_c_api(const ModuleState& state) noexcept {
    {
        std::lock_guard lock(changing_table);
        bool is_main = interpreter::is_main_interpreter();
        bool is_new = table[PyGreenlet_Type_NUM] != static_cast<void*>(state.greenlet_type);
        if (is_new && (is_main || state_of_main == nullptr)) {
            put(PyGreenlet_Type_NUM, state.greenlet_type);
            put(PyExc_GreenletError_NUM, state.error);
            put(PyExc_GreenletExit_NUM, state.greenlet_exit);
        }
        state_of_main = is_main ? &state : state_of_main;
    }
    return PyCapsule_New(table, capsule_name, nullptr);
}

void leave_c_api(const ModuleState& state) noexcept {
    std::lock_guard lock(changing_table);
    if (state_of_main == &state) {
        state_of_main = nullptr;
    }
}

}  // namespace module
