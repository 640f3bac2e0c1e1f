// __new__() and __init__() of greenlet.greenlet, and the call of the class.

#include "core/create.hpp"
#include "core/reference.hpp"
#include "core/thread.hpp"
#include "module/greenlet/parts.hpp"
#include "module/parts.hpp"
#include "python/arguments.hpp"

namespace module {

using core::as_greenlet;
using core::as_object;
using core::Reference;
using core::Thread;

PyObject* greenlet_new(PyTypeObject* type, PyObject*, PyObject*) {
    Thread* thread = Thread::running();
    if (thread == nullptr) {
        return nullptr;
    }
    thread->run_kill_queue();
    return as_object(core::create(type, *thread));
}

int greenlet_init(PyObject* self, PyObject* args, PyObject* kwargs) {
    static const char* names[] = {"run", "parent", nullptr};
    PyObject* run = nullptr;
    PyObject* parent = nullptr;
    if (!python::parse(args, kwargs, "|OO:greenlet", names, &run, &parent)) {
        return -1;
    }
    if (as_greenlet(self)->pimpl == nullptr) {
        PyErr_Format(PyExc_TypeError, "%s.__new__() must call greenlet.__new__()", Py_TYPE(self)->tp_name);
        return -1;
    }
    return initialize(self, run, parent);
}

namespace {

// Parses arguments through CPython, which raises the error that describes them.
[[gnu::cold]] int initialize_unusual(PyObject* self, PyObject* const* args, Py_ssize_t positional, PyObject* names) {
    Py_ssize_t named = names != nullptr ? PyTuple_GET_SIZE(names) : 0;
    Reference tuple = Reference::steal(PyTuple_New(positional));
    Reference dict = Reference::steal(PyDict_New());
    if (!tuple || !dict) {
        return -1;
    }
    for (Py_ssize_t i = 0; i < positional; ++i) {
        PyTuple_SET_ITEM(tuple.get(), i, Py_NewRef(args[i]));
    }
    for (Py_ssize_t i = 0; i < named; ++i) {
        if (PyDict_SetItem(dict.get(), PyTuple_GET_ITEM(names, i), args[positional + i]) < 0) {
            return -1;
        }
    }
    return greenlet_init(self, tuple.get(), dict.get());
}

}  // namespace

// greenlet.greenlet(...) without a tuple of arguments. Subclasses do not inherit it: their __init__() must be called.
PyObject* greenlet_vectorcall(PyObject* type, PyObject* const* args, std::size_t flagged_count, PyObject* names) {
    Py_ssize_t positional = PyVectorcall_NARGS(flagged_count);
    Py_ssize_t named = names != nullptr ? PyTuple_GET_SIZE(names) : 0;
    PyObject* values[2] = {nullptr, nullptr};
    bool usual = positional + named <= 2;
    if (usual && positional > 0) {
        values[0] = args[0];
        values[1] = positional > 1 ? args[1] : nullptr;
    }
    for (Py_ssize_t i = 0; usual && i < named; ++i) {
        PyObject* name = PyTuple_GET_ITEM(names, i);
        bool is_run = PyUnicode_CompareWithASCIIString(name, "run") == 0;
        bool is_known = is_run || PyUnicode_CompareWithASCIIString(name, "parent") == 0;
        PyObject*& value = values[is_run ? 0 : 1];
        usual = is_known && value == nullptr;
        if (usual) {
            value = args[positional + i];
        }
    }
    PyObject* self = greenlet_new(reinterpret_cast<PyTypeObject*>(type), nullptr, nullptr);
    if (self == nullptr) {
        return nullptr;
    }
    int failed = usual ? initialize(self, values[0], values[1]) : initialize_unusual(self, args, positional, names);
    if (failed != 0) {
        Py_DECREF(self);
        return nullptr;
    }
    return self;
}

int initialize(PyObject* self, PyObject* run, PyObject* parent) noexcept {
    if (run != nullptr && set_run(self, run, nullptr) < 0) {
        return -1;
    }
    return parent != nullptr && parent != Py_None ? set_parent(self, parent, nullptr) : 0;
}

}  // namespace module
