#include "inspect/listing.hpp"

#include <cstdlib>

#include "core/coroutine/coroutine.hpp"
#include "core/describe.hpp"
#include "core/reference.hpp"
#include "core/thread_list.hpp"
#include "inspect/argument.hpp"
#include "interpreter/collector.hpp"
#include "python/arguments.hpp"

namespace inspect {

namespace {

using core::Activation;
using core::as_object;
using core::ModuleState;
using core::Reference;
using core::Thread;

// Which threads are meant. An identifier is not of a thread that has ended: it may be another one's by now.
struct Selection {
    bool is_all = true;
    unsigned long identity = 0;

    bool includes(const Thread& thread) const noexcept {
        return is_all || (thread.identity == identity && thread.thread_state != nullptr);
    }
};

// Without a GIL, other threads have to stand still while their greenlets are listed. 3.13 can't stop them.
constexpr bool sees_other_threads = interpreter::has_gil || interpreter::OthersStopped::is_possible;

// Calls function(PyGreenlet*) for each active greenlet of a thread, the main one first.
template <class Function>
void for_each_of(const Thread& thread, Function function) noexcept {
    // One that is being released has no references.
    auto visit = [&](PyGreenlet* g) {
        if (g != nullptr && Py_REFCNT(as_object(g)) > 0) {
            function(g);
        }
    };
    visit(thread.main);
    for (const Activation* activation = thread.active; activation != nullptr; activation = activation->next) {
        visit(activation->greenlet);
    }
}

template <class Function>
void for_each_greenlet(const ModuleState& module, const Selection& selection, Function function) noexcept {
    [[maybe_unused]] interpreter::OthersStopped stopped;
    core::ThreadList::for_each(module, [&](const Thread& thread) {
        bool is_visible = sees_other_threads || thread.thread_state == interpreter::current_thread_state();
        if (is_visible && selection.includes(thread)) {
            for_each_of(thread, function);
        }
    });
}

// References to greenlets, in memory that is not CPython's: while the threads stand still, CPython's may be locked.
class Collected {
public:
    Collected() = default;
    Collected(const Collected&) = delete;
    Collected& operator=(const Collected&) = delete;
    ~Collected() {
        for (std::size_t i = 0; i < count_; ++i) {
            Py_DECREF(places_[i]);
        }
        std::free(places_);
    }

    bool reserve(std::size_t size) noexcept {
        places_ = static_cast<PyGreenlet**>(std::malloc((size + 1) * sizeof(PyGreenlet*)));
        size_ = places_ != nullptr ? size : 0;
        return places_ != nullptr;
    }

    // Does nothing if there is no room.
    void add(PyGreenlet* g) noexcept {
        if (count_ < size_) {
            Py_INCREF(g);
            places_[count_++] = g;
        }
    }

    PyObject* as_list() const noexcept {
        PyObject* list = PyList_New(static_cast<Py_ssize_t>(count_));
        for (std::size_t i = 0; list != nullptr && i < count_; ++i) {
            PyList_SET_ITEM(list, static_cast<Py_ssize_t>(i), Py_NewRef(as_object(places_[i])));
        }
        return list;
    }

private:
    PyGreenlet** places_ = nullptr;
    std::size_t count_ = 0;
    std::size_t size_ = 0;
};

const char* role_of(const PyGreenlet* g) noexcept {
    if (core::is_main(g)) {
        return "main";
    }
    const core::Coroutine* coroutine = g->pimpl->coroutine;
    return coroutine != nullptr ? coroutine->kind->name : "greenlet";
}

const char* phase_of(const PyGreenlet* g) noexcept {
    if (!core::is_started(g)) {
        return "unstarted";
    }
    if (!core::is_active(g)) {
        return "finished";
    }
    const Thread& thread = *g->pimpl->thread;
    if (thread.thread_state == nullptr) {
        return "abandoned";
    }
    return thread.current == g ? "current" : "suspended";
}

// True if `g` may be looked into here.
bool is_visible(const PyGreenlet* g) noexcept {
    return interpreter::has_gil || (core::is_started(g) && g->pimpl->thread == Thread::known());
}

// The callable that it runs or will run, or nullptr.
PyObject* run_of(const PyGreenlet* g) noexcept {
    if (!is_visible(g)) {
        return nullptr;
    }
    if (!core::is_active(g)) {
        return core::is_started(g) ? nullptr : g->pimpl->run;
    }
    return g->pimpl->activation->run;
}

// The function of a tasklet, if the greenlet runs one.
Reference tasklet_function_of(const PyGreenlet* g) noexcept {
    bool can_tell = core::is_active(g) && is_visible(g) && g->pimpl->thread->thread_state != nullptr;
    return can_tell ? core::layers_function_of(g) : Reference();
}

PyObject* or_none(PyObject* object) noexcept { return object != nullptr ? object : Py_None; }

}  // namespace

PyObject* greenlets(PyObject*, PyObject* const* args, Py_ssize_t count) noexcept {
    if (!python::check_count("_greenlets", count, 0, 1)) {
        return nullptr;
    }
    Selection selection;
    if (count == 1 && args[0] != Py_None) {
        selection = {false, PyLong_AsUnsignedLong(args[0])};
        if (PyErr_Occurred()) {
            return nullptr;
        }
    }
    ModuleState* module = ModuleState::of_interpreter();
    if (module == nullptr) {
        return nullptr;
    }
    std::size_t size = 0;
    for_each_greenlet(*module, selection, [&](PyGreenlet*) { ++size; });
    Collected collected;
    if (!collected.reserve(size)) {
        return PyErr_NoMemory();
    }
    for_each_greenlet(*module, selection, [&](PyGreenlet* g) { collected.add(g); });
    interpreter::CollectorPaused paused;
    return collected.as_list();
}

PyObject* place(PyObject*, PyObject* object) noexcept {
    const PyGreenlet* g = greenlet_in(object);
    if (g == nullptr) {
        return nullptr;
    }
    const Thread* thread = g->pimpl->thread;
    Reference identity = Reference::steal(thread != nullptr ? PyLong_FromUnsignedLong(thread->identity)
                                                            : Py_NewRef(Py_None));
    bool is_here = thread != nullptr && thread == Thread::known();
    if (!identity) {
        return nullptr;
    }
    Reference function = tasklet_function_of(g);
    const char* role = function ? "tasklet" : role_of(g);
    PyObject* run = function ? function.get() : or_none(run_of(g));
    return Py_BuildValue("(ssOOO)", role, phase_of(g), identity.get(), is_here ? Py_True : Py_False, run);
}

}  // namespace inspect
