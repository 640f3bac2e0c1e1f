/* A client of greenlet.h in C: exposes each entry of the table to Python, and passes arguments on unchecked. */

#define PY_SSIZE_T_CLEAN
#include "greenlet/greenlet.h"

#include <stddef.h>

#if PyGreenlet_API_pointers != 12
#error "the table has twelve entries"
#endif

static PyObject* or_null(PyObject* object) { return object == Py_None ? NULL : object; }
static PyGreenlet* as_greenlet(PyObject* object) { return (PyGreenlet*)or_null(object); }

static PyObject* new(PyObject* module, PyObject* args) {
    PyObject *run, *parent;
    (void)module;
    if (!PyArg_ParseTuple(args, "OO", &run, &parent)) {
        return NULL;
    }
    return (PyObject*)PyGreenlet_New(or_null(run), as_greenlet(parent));
}

static PyObject* get_current(PyObject* module, PyObject* unused) {
    (void)module, (void)unused;
    return (PyObject*)PyGreenlet_GetCurrent();
}

static PyObject* switch_to(PyObject* module, PyObject* args) {
    PyObject *g, *positional, *keywords;
    (void)module;
    if (!PyArg_ParseTuple(args, "OOO", &g, &positional, &keywords)) {
        return NULL;
    }
    return PyGreenlet_Switch(as_greenlet(g), or_null(positional), or_null(keywords));
}

static PyObject* throw_into(PyObject* module, PyObject* args) {
    PyObject *g, *type, *value, *traceback;
    (void)module;
    if (!PyArg_ParseTuple(args, "OOOO", &g, &type, &value, &traceback)) {
        return NULL;
    }
    return PyGreenlet_Throw(as_greenlet(g), or_null(type), or_null(value), or_null(traceback));
}

static PyObject* set_parent(PyObject* module, PyObject* args) {
    PyObject *g, *parent;
    (void)module;
    if (!PyArg_ParseTuple(args, "OO", &g, &parent)) {
        return NULL;
    }
    int result = PyGreenlet_SetParent(as_greenlet(g), as_greenlet(parent));
    if (result < 0) {
        return NULL;
    }
    return PyLong_FromLong(result);
}

static PyObject* get_parent(PyObject* module, PyObject* g) {
    (void)module;
    PyGreenlet* parent = PyGreenlet_GetParent(as_greenlet(g));
    if (parent == NULL) {
        if (PyErr_Occurred()) {
            return NULL;
        }
        Py_RETURN_NONE;
    }
    return (PyObject*)parent;
}

/* Whether an exception is set while the API is called. */
static int is_pending = 0;

/* Checks that an exception is set if and only if the result is negative. */
static PyObject* as_answer(int answer) {
    if (!is_pending && (answer < 0) != (PyErr_Occurred() != NULL)) {
        PyErr_Clear();
        PyErr_SetString(PyExc_SystemError, "the result and the exception do not agree");
        return NULL;
    }
    return answer < 0 ? NULL : PyLong_FromLong(answer);
}

static PyObject* is_main(PyObject* module, PyObject* g) {
    (void)module;
    return as_answer(PyGreenlet_MAIN(as_greenlet(g)));
}

static PyObject* is_started(PyObject* module, PyObject* g) {
    (void)module;
    return as_answer(PyGreenlet_STARTED(as_greenlet(g)));
}

static PyObject* is_active(PyObject* module, PyObject* g) {
    (void)module;
    return as_answer(PyGreenlet_ACTIVE(as_greenlet(g)));
}

static PyObject* check(PyObject* module, PyObject* object) {
    (void)module;
    return PyBool_FromLong(PyGreenlet_Check(or_null(object)));
}

/* Calls a function of this module with a tuple of arguments, while an exception is set. Returns the result or
 * None, and what was set afterwards or None. */
static PyObject* while_pending(PyObject* module, PyObject* args) {
    PyObject *function, *exception, *arguments, *type, *value, *traceback;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!OO!", &PyCFunction_Type, &function, &exception, &PyTuple_Type, &arguments)) {
        return NULL;
    }
    int takes_one = PyCFunction_GET_FLAGS(function) & METH_O;
    PyErr_SetObject((PyObject*)Py_TYPE(exception), exception);
    is_pending = 1;
    PyObject* result = PyCFunction_GET_FUNCTION(function)(NULL, takes_one ? PyTuple_GET_ITEM(arguments, 0) : arguments);
    is_pending = 0;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    PyObject* both = PyTuple_Pack(2, result ? result : Py_None, value ? value : Py_None);
    Py_XDECREF(result);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return both;
}

/* Clears an object, as the garbage collector does. */
static PyObject* clear(PyObject* module, PyObject* object) {
    (void)module;
    if (Py_TYPE(object)->tp_clear(object) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* Returns an instance that was allocated but not created by the class's tp_new. */
static PyObject* unmade(PyObject* module, PyObject* type) {
    (void)module;
    return ((PyTypeObject*)type)->tp_alloc((PyTypeObject*)type, 0);
}

/* Runs as a greenlet: doubles each number that it receives, until it receives 0. */
static PyObject* doubler(PyObject* module, PyObject* number) {
    (void)module;
    Py_INCREF(number);
    while (PyObject_IsTrue(number)) {
        PyGreenlet* current = PyGreenlet_GetCurrent();
        PyGreenlet* parent = PyGreenlet_GET_PARENT(current);
        PyObject* doubled = PyNumber_Add(number, number);
        PyObject* args = PyTuple_Pack(1, doubled);
        Py_DECREF(number);
        number = PyGreenlet_Switch(parent, args, NULL);
        Py_DECREF(args);
        Py_DECREF(doubled);
        Py_DECREF(parent);
        Py_DECREF(current);
        if (number == NULL) {
            return NULL;
        }
    }
    return number;
}

/* Switches with many bytes in use on its stack, and checks that they are unchanged. */
static PyObject* keeps_locals(PyObject* module, PyObject* size) {
    (void)module;
    unsigned char bytes[20000];
    long count = PyLong_AsLong(size);
    if (count < 0 || count > (long)sizeof bytes) {
        PyErr_SetString(PyExc_ValueError, "too many");
        return NULL;
    }
    for (long i = 0; i < count; ++i) {
        bytes[i] = (unsigned char)(i * 7);
    }
    unsigned char* volatile address = bytes;
    PyGreenlet* current = PyGreenlet_GetCurrent();
    PyGreenlet* parent = PyGreenlet_GetParent(current);
    PyObject* value = PyGreenlet_Switch(parent, NULL, NULL);
    Py_DECREF(parent);
    Py_DECREF(current);
    if (value == NULL) {
        return NULL;
    }
    Py_DECREF(value);
    for (long i = 0; i < count; ++i) {
        if (address[i] != (unsigned char)(i * 7)) {
            PyErr_SetString(PyExc_AssertionError, "the stack was changed");
            return NULL;
        }
    }
    Py_RETURN_TRUE;
}

/* An extension type whose instances begin with a greenlet. */
typedef struct {
    PyGreenlet greenlet;
    long number;
    PyObject* object;
} Derived;

static int derived_init(PyObject* self, PyObject* args, PyObject* kwargs) {
    Derived* derived = (Derived*)self;
    PyObject* none = PyTuple_New(0);
    int result = none ? PyGreenlet_Type.tp_init(self, none, kwargs) : -1;
    Py_XDECREF(none);
    if (result < 0 || !PyArg_ParseTuple(args, "lO", &derived->number, &derived->object)) {
        return -1;
    }
    Py_INCREF(derived->object);
    return 0;
}

static int derived_traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(((Derived*)self)->object);
    return PyGreenlet_Type.tp_traverse(self, visit, arg);
}

static int derived_clear(PyObject* self) {
    Py_CLEAR(((Derived*)self)->object);
    return PyGreenlet_Type.tp_clear(self);
}

static void derived_dealloc(PyObject* self) {
    PyObject_GC_UnTrack(self);
    Py_CLEAR(((Derived*)self)->object);
    PyObject_GC_Track(self);
    PyGreenlet_Type.tp_dealloc(self);
}

static PyObject* derived_run(PyObject* self, PyObject* unused) {
    (void)unused;
    return Py_BuildValue("lO", ((Derived*)self)->number, ((Derived*)self)->object);
}

static PyMethodDef derived_methods[] = {{"run", derived_run, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};

static PyType_Slot derived_slots[] = {
    {Py_tp_init, (void*)derived_init},       {Py_tp_traverse, (void*)derived_traverse},
    {Py_tp_clear, (void*)derived_clear},     {Py_tp_dealloc, (void*)derived_dealloc},
    {Py_tp_methods, (void*)derived_methods}, {0, NULL},
};

static PyType_Spec derived_spec = {
    "client.Derived", sizeof(Derived), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, derived_slots,
};

static PyMethodDef functions[] = {
    {"new", new, METH_VARARGS, NULL},
    {"get_current", get_current, METH_NOARGS, NULL},
    {"switch", switch_to, METH_VARARGS, NULL},
    {"throw", throw_into, METH_VARARGS, NULL},
    {"set_parent", set_parent, METH_VARARGS, NULL},
    {"get_parent", get_parent, METH_O, NULL},
    {"is_main", is_main, METH_O, NULL},
    {"is_started", is_started, METH_O, NULL},
    {"is_active", is_active, METH_O, NULL},
    {"check", check, METH_O, NULL},
    {"while_pending", while_pending, METH_VARARGS, NULL},
    {"clear", clear, METH_O, NULL},
    {"unmade", unmade, METH_O, NULL},
    {"doubler", doubler, METH_O, NULL},
    {"keeps_locals", keeps_locals, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "client", NULL, -1, functions, NULL, NULL, NULL, NULL};

static int add(PyObject* module, const char* name, PyObject* object) {
    Py_XINCREF(object);
    if (object == NULL || PyModule_AddObject(module, name, object) < 0) {
        Py_XDECREF(object);
        return -1;
    }
    return 0;
}

PyMODINIT_FUNC PyInit_client(void) {
    PyObject* module = PyModule_Create(&definition);
    if (module == NULL) {
        return NULL;
    }
    PyGreenlet_Import();
    if (_PyGreenlet_API == NULL) {
        return NULL;
    }
    PyObject* bases = PyTuple_Pack(1, (PyObject*)&PyGreenlet_Type);
    PyObject* derived = bases ? PyType_FromSpecWithBases(&derived_spec, bases) : NULL;
    Py_XDECREF(bases);
    if (add(module, "Derived", derived) < 0 || add(module, "Type", (PyObject*)&PyGreenlet_Type) < 0 ||
        add(module, "Error", PyExc_GreenletError) < 0 || add(module, "Exit", PyExc_GreenletExit) < 0 ||
        PyModule_AddIntConstant(module, "size", sizeof(PyGreenlet)) < 0 ||
        PyModule_AddIntConstant(module, "offset_of_weakreflist", offsetof(PyGreenlet, weakreflist)) < 0 ||
        PyModule_AddIntConstant(module, "offset_of_dict", offsetof(PyGreenlet, dict)) < 0 ||
        PyModule_AddIntConstant(module, "offset_of_pimpl", offsetof(PyGreenlet, pimpl)) < 0 ||
        PyModule_AddIntConstant(module, "size_of_object", sizeof(PyObject)) < 0 ||
        PyModule_AddIntConstant(module, "size_of_derived", sizeof(Derived)) < 0 ||
        PyModule_AddStringConstant(module, "version", GREENLET_VERSION) < 0) {
        return NULL;
    }
    Py_XDECREF(derived);
    return module;
}
