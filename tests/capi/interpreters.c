/* A client that is loaded in several interpreters of a process. Its objects use the C API when they are deallocated. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdio.h>

#include "greenlet/greenlet.h"

static PyObject* check(PyObject* module, PyObject* object) {
    (void)module;
    return PyBool_FromLong(PyGreenlet_Check(object));
}

/* Returns the results of each entry of the table, with a greenlet that runs a function. */
static PyObject* use(PyObject* module, PyObject* run) {
    (void)module;
    PyGreenlet* current = PyGreenlet_GetCurrent();
    PyGreenlet* g = current != NULL ? PyGreenlet_New(run, current) : NULL;
    if (g == NULL) {
        Py_XDECREF(current);
        return NULL;
    }
    int before = PyGreenlet_STARTED(g), is_main = PyGreenlet_MAIN(current), active = PyGreenlet_ACTIVE(current);
    PyGreenlet* parent = PyGreenlet_GetParent(g);
    int is_parent = parent == current && PyGreenlet_SetParent(g, parent) == 0;
    PyObject* arguments = Py_BuildValue("(i)", 42);
    PyObject* result = PyGreenlet_Switch(g, arguments, NULL);
    PyObject* thrown = result != NULL ? PyGreenlet_Throw(g, NULL, NULL, NULL)
                                      : NULL; /* it has finished with a GreenletExit */
    Py_XDECREF(arguments);
    Py_XDECREF(parent);
    Py_DECREF(current);
    Py_DECREF(g);
    if (thrown == NULL) {
        Py_XDECREF(result);
        return NULL;
    }
    PyObject* exit = PyUnicode_FromString(Py_TYPE(thrown)->tp_name);
    Py_DECREF(thrown);
    return Py_BuildValue("(iiiiNN)", before, is_main, active, is_parent, result, exit);
}

/* An object that prints the results of the entries of the table when it is deallocated. */
typedef struct {
    PyObject_HEAD
    PyGreenlet* suspended;
    PyGreenlet* fresh;
} Witness;

static void say(const char* what, int failed) {
    PyObject* exception = PyErr_Occurred();
    printf("%s %s\n", what, exception != NULL ? ((PyTypeObject*)exception)->tp_name : failed ? "failed" : "done");
    PyErr_Clear();
}

static void witness_dealloc(PyObject* self) {
    Witness* w = (Witness*)self;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    printf("check %d\n", PyGreenlet_Check((PyObject*)w->suspended));
    printf("exceptions %d\n",
           PyExceptionClass_Check(PyExc_GreenletError) && PyExceptionClass_Check(PyExc_GreenletExit));
    PyGreenlet* current = PyGreenlet_GetCurrent();
    say("get_current", current == NULL);
    Py_XDECREF(current);
    PyGreenlet* made = PyGreenlet_New(NULL, NULL);
    say("new", made == NULL);
    Py_XDECREF(made);
    printf("main %d\n", PyGreenlet_MAIN(w->suspended));
    printf("started %d\n", PyGreenlet_STARTED(w->suspended));
    printf("active %d\n", PyGreenlet_ACTIVE(w->suspended));
    PyGreenlet* parent = PyGreenlet_GetParent(w->suspended);
    say("get_parent", parent == NULL);
    if (parent != NULL) {
        say("set_parent", PyGreenlet_SetParent(w->fresh, parent) != 0);
        Py_DECREF(parent);
    }
    PyObject* result = PyGreenlet_Switch(w->fresh, NULL, NULL);
    say("switch to a new one", result == NULL);
    Py_XDECREF(result);
    result = PyGreenlet_Switch(w->suspended, NULL, NULL);
    say("switch to a suspended one", result == NULL);
    Py_XDECREF(result);
    result = PyGreenlet_Throw(w->suspended, PyExc_LookupError, NULL, NULL);
    say("throw", result == NULL);
    Py_XDECREF(result);
    fflush(stdout);
    Py_XDECREF(w->suspended);
    Py_XDECREF(w->fresh);
    PyErr_Restore(type, value, traceback);
    PyTypeObject* cls = Py_TYPE(self);
    cls->tp_free(self);
    Py_DECREF(cls);
}

static PyObject* witness_new(PyTypeObject* cls, PyObject* arguments, PyObject* keywords) {
    (void)keywords;
    PyObject *suspended, *fresh;
    if (!PyArg_ParseTuple(arguments, "OO", &suspended, &fresh)) {
        return NULL;
    }
    Witness* w = (Witness*)cls->tp_alloc(cls, 0);
    if (w != NULL) {
        w->suspended = (PyGreenlet*)Py_NewRef(suspended);
        w->fresh = (PyGreenlet*)Py_NewRef(fresh);
    }
    return (PyObject*)w;
}

static PyType_Slot witness_slots[] = {
    {Py_tp_new, witness_new},
    {Py_tp_dealloc, witness_dealloc},
    {0, NULL},
};
static PyType_Spec witness_spec = {"interpreters.Witness", sizeof(Witness), 0, Py_TPFLAGS_DEFAULT, witness_slots};

static int execute(PyObject* module) {
    PyGreenlet_Import();
    if (_PyGreenlet_API == NULL) {
        return -1;
    }
    PyObject* witness = PyType_FromSpec(&witness_spec);
    int failed = witness == NULL || PyModule_AddObjectRef(module, "Witness", witness) < 0;
    Py_XDECREF(witness);
    return failed ? -1 : 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};
static PyMethodDef functions[] = {{"check", check, METH_O, NULL}, {"use", use, METH_O, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "interpreters", NULL, 0, functions, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_interpreters(void) { return PyModuleDef_Init(&definition); }
