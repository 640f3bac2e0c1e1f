#include "core/collect.hpp"

#include "core/gc_root.hpp"
#include "core/kill.hpp"
#include "interpreter/allocation.hpp"
#include "interpreter/collector.hpp"
#include "interpreter/frames/visit.hpp"
#include "interpreter/pending_exception.hpp"
#include "interpreter/thread_state.hpp"

namespace core {

namespace {

// Frees the Greenlet. True if it is part of the object's own memory, and so is freed with the object.
bool free_implementation(PyGreenlet* g) noexcept {
    Greenlet* greenlet = std::exchange(g->pimpl, nullptr);
    if (greenlet == interpreter::extra_of<Greenlet>(g)) {
        return true;
    }
    interpreter::free_extra<Greenlet>(greenlet);
    return false;
}

// Instances of Python classes have been finalized before deallocation. If one lives on, the garbage collector must
// finalize it again, to kill it before it clears what the greenlet uses.
void live_on(PyGreenlet* g) noexcept {
    if (Py_TYPE(g)->tp_finalize == finalize) {
        interpreter::expect_finalizer(as_object(g));
    }
}

// Kills an active greenlet that is unreferenced. False if it is referenced again.
bool kill_unreferenced(PyGreenlet* g) noexcept {
    interpreter::PendingException in_flight;
    PyObject* self = as_object(g);
    Py_SET_REFCNT(self, 1);
    if (must_be_killed_later(g)) {
        // The only reference passes to the thread, which may release it at any time.
        Py_INCREF(self);
        Py_SET_REFCNT(self, 1);
        live_on(g);
        if (g->pimpl->thread->kill_later(g, false)) {
            return false;
        }
    }
    kill(g, false);
    if (Py_REFCNT(self) == 1 && is_active(g) && g->pimpl->activation != nullptr && !interpreter::is_finalizing()) {
        // Nobody can resume it.
        keep_survivor(g);
        if (PyObject* file = PySys_GetObject("stderr"); file != nullptr && file != Py_None) {
            Reference held = Reference::borrow(file);
            PyFile_WriteString("GreenletExit did not kill ", file);
            PyFile_WriteObject(self, file, 0);
            PyFile_WriteString("\n", file);
            PyErr_Clear();
        }
    }
    if (Py_REFCNT(self) > 1) {
        live_on(g);
    }
    Py_SET_REFCNT(self, Py_REFCNT(self) - 1);
    return Py_REFCNT(self) == 0;
}

// True if the slots here visit and release the object's reference to its type: for the type itself, and for subclasses
// that are heap types. If a static type of an extension module lies in between, the object has no such reference, or
// the slots of the Python class below the static type release it.
bool is_type_ours_to_release(PyTypeObject* type) noexcept {
    for (; type != &PyBaseObject_Type; type = type->tp_base) {
        if (!PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE)) {
            return false;
        }
    }
    return true;
}

// Keeps the memory of a deallocated object of create_plain() for the next one. False if it must be freed.
bool keep_for_next(PyGreenlet* g) noexcept {
    Thread* thread = Thread::known();
    return thread != nullptr &&
           thread->module->spare_greenlets.keep(as_object(g), interpreter::size_with_extra<PyGreenlet, Greenlet>);
}

void deallocate_finished(PyObject* self) {
    PyGreenlet* g = as_greenlet(self);
    if (g->weakreflist != nullptr) {
        PyObject_ClearWeakRefs(self);
    }
    Py_CLEAR(g->dict);
    bool is_plain = false;
    if (Greenlet* greenlet = g->pimpl) {
        if (greenlet->role == Role::main) {
            greenlet->thread->module->main_greenlets += -1;
        }
        Py_XDECREF(greenlet->run);
        Py_XDECREF(greenlet->context);
        Py_XDECREF(greenlet->parent);
        Py_XDECREF(greenlet->resumer);
        if (greenlet->thread != nullptr) {
            greenlet->thread->unref();
        }
        is_plain = free_implementation(g);
    }
    PyTypeObject* type = Py_TYPE(self);
    bool releases_type = is_type_ours_to_release(type);
    if (!is_plain || !keep_for_next(g)) {
        type->tp_free(self);
    }
    if (releases_type) {
        interpreter::drop_class(type);
    }
}

}  // namespace

// A greenlet may own the last reference to its parent, that to its own parent, and so on, in a chain that is too long
// to be deallocated recursively. So deallocating a greenlet passes its parent to the caller, who releases that next.
// (CPython's "trashcan" counts the levels of all types together, and would delay what the greenlets refer to.)
struct Release {
    PyGreenlet* released;
    PyGreenlet* next = nullptr;  // owned; the parent of `released`
};

namespace {

// The Release in progress, if it is for `g`; else nullptr. To be called before any other code may run.
Release* release_of(PyGreenlet* g) noexcept {
    Release* release = Notes::get().release;
    bool is_of_it = release != nullptr && release->released == g;
    return is_of_it ? std::exchange(Notes::make()->release, nullptr) : nullptr;
}

bool ends_parent(const Greenlet* greenlet) noexcept {
    return greenlet != nullptr && greenlet->parent != nullptr && Py_REFCNT(greenlet->parent) == 1;
}

bool needs_killing(const Greenlet* greenlet) noexcept {
    return greenlet != nullptr && greenlet->phase == Phase::active && greenlet->role != Role::main;
}

void release_chain(PyGreenlet* g) noexcept {
    while (g != nullptr) {
        Release release{g};
        bool passes_parent_on = Py_REFCNT(g) == 1 && Py_TYPE(g)->tp_dealloc == deallocate &&
                                (needs_killing(g->pimpl) || ends_parent(g->pimpl));
        Notes* notes = passes_parent_on ? Notes::make() : nullptr;  // without notes the parent is released recursively
        if (notes != nullptr) {
            notes->release = &release;
        }
        Py_DECREF(g);
        if (notes != nullptr) {
            notes->release = nullptr;
        }
        g = release.next;
    }
}

// Passes the parent to `release`, or releases it here if `release` is nullptr.
[[gnu::noinline]] void deallocate_with_parent(PyGreenlet* g, Release* release) {
    PyGreenlet* parent = std::exchange(g->pimpl->parent, nullptr);
    deallocate_finished(as_object(g));
    if (release != nullptr) {
        release->next = parent;
    }
    else {
        release_chain(parent);
    }
}

[[gnu::noinline]] void deallocate_active(PyGreenlet* g) {
    Release* release = release_of(g);
    if (!kill_unreferenced(g)) {
        // The greenlet lives on. If a Python class called this slot of its static base, it nevertheless releases the
        // type.
        PyTypeObject* type = Py_TYPE(g);
        if (PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE) && !is_type_ours_to_release(type)) {
            Py_INCREF(type);
        }
        return;
    }
    PyObject_GC_UnTrack(g);
    if (ends_parent(g->pimpl)) {
        deallocate_with_parent(g, release);
    }
    else {
        deallocate_finished(as_object(g));
    }
}

}  // namespace

void deallocate(PyObject* self) {
    PyGreenlet* g = as_greenlet(self);
    if (needs_killing(g->pimpl)) {
        deallocate_active(g);
        return;
    }
    PyObject_GC_UnTrack(self);
    if (!ends_parent(g->pimpl)) [[likely]] {
        deallocate_finished(self);
        return;
    }
    deallocate_with_parent(g, release_of(g));
}

namespace {

// True if the collector would clear what an active greenlet uses without having ended the greenlet. The collector does
// not call finalize() if the class has a destructor of its own, or if it has finalized the object before, when the
// greenlet had not been started. The next collection finalizes such a greenlet again.
bool is_not_to_be_killed(PyObject* self) noexcept {
    if (Py_TYPE(self)->tp_finalize != finalize) {
        return true;
    }
    bool has_begun_since = interpreter::was_finalized(self);
    if (has_begun_since) {
        interpreter::expect_finalizer(self);
    }
    return has_begun_since;
}

// Visits the uncounted references of a suspended greenlet's frames, for a greenlet that is not to be collected.
int visit_uncounted(const PyGreenlet* g, visitproc visit, void* arg) noexcept {
    const Activation* activation = g->pimpl->activation;
    if (!interpreter::has_uncounted_references || activation == nullptr || is_of_ended_thread(g)) {
        return 0;
    }
    bool is_suspended = g->pimpl->thread->current != g;
    return is_suspended ? interpreter::visit_uncounted(activation->state, visit, arg) : 0;
}

}  // namespace

int traverse(PyObject* self, visitproc visit, void* arg) {
    PyGreenlet* g = as_greenlet(self);
    Greenlet* greenlet = g->pimpl;
    if (greenlet != nullptr && greenlet->phase == Phase::active && greenlet->role != Role::main &&
        is_not_to_be_killed(self)) {
        return visit_uncounted(g, visit, arg);
    }
    if (is_type_ours_to_release(Py_TYPE(self))) {
        Py_VISIT(Py_TYPE(self));
    }
    Py_VISIT(g->dict);
    if (greenlet == nullptr) {
        return 0;
    }
    Py_VISIT(greenlet->parent);
    Py_VISIT(greenlet->resumer);
    Py_VISIT(greenlet->run);
    if (greenlet->phase != Phase::active) {
        Py_VISIT(greenlet->context);
    }
    // A full collection is a good time to decommit free stacks. The main greenlet is an old object, so a collection
    // that visits it is mostly a full one.
    bool has_thread_to_itself = interpreter::stops_others_to_traverse;
    if (has_thread_to_itself && greenlet->role == Role::main && !is_of_ended_thread(g)) {
        greenlet->thread->stacks.decommit();
        greenlet->thread->traversal_order.restart();
    }
    if (greenlet->role == Role::main) {
        return visit_uncounted(g, visit, arg);
    }
    Activation* activation = greenlet->activation;
    bool is_suspended = activation != nullptr && greenlet->thread->current != g;
    if (!is_suspended) {
        return 0;  // its frames are in use
    }
    if (has_thread_to_itself) {
        greenlet->thread->traversal_order.reach(*activation);
        trim(*activation);  // its memory is read anyway
    }
    Py_VISIT(activation->run);
    for (Py_ssize_t i = 0; i < activation->argument_count; ++i) {
        Py_VISIT(activation->arguments[i]);
    }
    if (int stopped = GcRoot::traverse(activation->gc_roots, visit, arg)) {
        return stopped;
    }
    return interpreter::visit_frames(activation->state, activation->state.call.get(), visit, arg);
}

int clear(PyObject* self) {
    PyGreenlet* g = as_greenlet(self);
    Greenlet* greenlet = g->pimpl;
    if (greenlet == nullptr || greenlet->phase != Phase::active) {
        Py_CLEAR(g->dict);
        if (greenlet != nullptr) {
            Py_CLEAR(greenlet->run);
            Py_CLEAR(greenlet->context);
            Py_CLEAR(greenlet->parent);
            Py_CLEAR(greenlet->resumer);
        }
    }
    return 0;
}

void finalize(PyObject* self) {
    PyGreenlet* g = as_greenlet(self);
    bool from_deallocation = Py_REFCNT(self) == 1;  // of a subclass; the garbage collector adds a reference of its own
    if (g->pimpl != nullptr && is_active(g) && !is_main(g) && !from_deallocation) {
        kill(g, true);
        if (is_active(g)) {
            interpreter::expect_finalizer(self);
        }
    }
}

}  // namespace core
