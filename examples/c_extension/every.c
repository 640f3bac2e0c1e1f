/* An extension module that uses greenlets: every(function, iterable) calls function(item) for each item, and lets the
 * parent greenlet run after each call. */

#define PY_SSIZE_T_CLEAN
#include <greenlet/greenlet.h>

static PyObject* every(PyObject* module, PyObject* args) {
    PyObject *function, *iterable;
    if (!PyArg_ParseTuple(args, "OO", &function, &iterable)) {
        return NULL;
    }
    PyObject* iterator = PyObject_GetIter(iterable);
    if (iterator == NULL) {
        return NULL;
    }
    PyObject* item;
    while ((item = PyIter_Next(iterator)) != NULL) {
        PyObject* result = PyObject_CallOneArg(function, item);
        Py_DECREF(item);
        if (result == NULL) {
            break;
        }
        /* The running greenlet, and its parent: two new references. */
        PyGreenlet* current = PyGreenlet_GetCurrent();
        PyGreenlet* parent = current == NULL ? NULL : PyGreenlet_GetParent(current);
        Py_XDECREF(current);
        if (parent != NULL) {
            /* switch() takes a tuple of arguments, and borrows it. */
            PyObject* arguments = PyTuple_Pack(1, result);
            PyObject* answer = arguments == NULL ? NULL : PyGreenlet_Switch(parent, arguments, NULL);
            Py_XDECREF(arguments);
            Py_DECREF(parent);
            Py_XDECREF(answer); /* what this greenlet was resumed with; NULL if an exception was thrown into it */
        }
        Py_DECREF(result);
        if (PyErr_Occurred()) {
            break; /* such as GreenletExit: release everything, and pass it on */
        }
    }
    Py_DECREF(iterator);
    if (PyErr_Occurred()) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"every", every, METH_VARARGS,
     "every(function, iterable): call function(item), and switch to the parent with the result."},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject* module) {
    PyGreenlet_Import();
    return _PyGreenlet_API == NULL ? -1 : 0; /* an ImportError or AttributeError is set */
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void*)execute},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "every",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit_every(void) { return PyModuleDef_Init(&definition); }
