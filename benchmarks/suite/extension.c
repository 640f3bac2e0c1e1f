/* Operations that need C. Compiled with the greenlet.h of each measured package. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <greenlet/greenlet.h>
#include <string.h>

/* switch_to(greenlet, count): switches to the greenlet `count` times. */
static PyObject* switch_to(PyObject* module, PyObject* args) {
    PyGreenlet* target;
    Py_ssize_t count;
    if (!PyArg_ParseTuple(args, "O!n", &PyGreenlet_Type, &target, &count)) {
        return NULL;
    }
    for (; count > 0; --count) {
        PyObject* result = PyGreenlet_Switch(target, NULL, NULL);
        if (result == NULL) {
            return NULL;
        }
        Py_DECREF(result);
    }
    Py_RETURN_NONE;
}

/* The same from another call site: switches to the greenlet until it raises an exception. */
static PyObject* switch_forever(PyObject* module, PyObject* target) {
    for (;;) {
        PyObject* result = PyGreenlet_Switch((PyGreenlet*)target, NULL, NULL);
        if (result == NULL) {
            return NULL;
        }
        Py_DECREF(result);
    }
}

/* Uses the stack in small steps downwards, as calls do. Creates no objects, because only stacks are measured. */
static PyObject* call_after_descent(Py_ssize_t bytes, PyObject* function) {
    enum { step = 1024 };
    if (bytes <= step) {
        return PyObject_CallNoArgs(function);
    }
    char used[step];
    memset(used, 1, step);
    PyObject* result = call_after_descent(bytes - step, function);
    __asm__ volatile("" : : "r"(used) : "memory"); /* `used` is still live here */
    return result;
}

/* call_deep(bytes, function): calls the function after writing to `bytes` bytes of the C stack. */
static PyObject* call_deep(PyObject* module, PyObject* args) {
    Py_ssize_t bytes;
    PyObject* function;
    if (!PyArg_ParseTuple(args, "nO", &bytes, &function)) {
        return NULL;
    }
    return call_after_descent(bytes, function);
}

static PyMethodDef functions[] = {
    {"switch_to", switch_to, METH_VARARGS, NULL},
    {"switch_forever", switch_forever, METH_O, NULL},
    {"call_deep", call_deep, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "greenlet_benchmark", NULL, -1, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_greenlet_benchmark(void) {
    PyGreenlet_Import();
    if (PyErr_Occurred()) {
        return NULL;
    }
    return PyModule_Create(&definition);
}
