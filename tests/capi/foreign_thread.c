/* Threads that CPython did not start: each call creates a thread state, and deletes it. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pthread.h>

typedef struct {
    PyObject* function;
    long times;
    long failures;
} Work;

static void* work(void* argument) {
    Work* work = argument;
    for (long i = 0; i < work->times; ++i) {
        PyGILState_STATE state = PyGILState_Ensure();
        PyObject* result = PyObject_CallNoArgs(work->function);
        if (result == NULL) {
            PyErr_WriteUnraisable(work->function);
            work->failures++;
        }
        Py_XDECREF(result);
        PyGILState_Release(state);
    }
    return NULL;
}

/* call(function, threads, times): each of the threads calls the function `times` times. Returns the number of failures.
 */
static PyObject* call(PyObject* module, PyObject* args) {
    (void)module;
    PyObject* function;
    long threads, times, failures = 0;
    if (!PyArg_ParseTuple(args, "Oll", &function, &threads, &times)) {
        return NULL;
    }
    if (threads < 1 || threads > 16) {
        PyErr_SetString(PyExc_ValueError, "1 to 16 threads");
        return NULL;
    }
    pthread_t started[16];
    Work works[16];
    Py_BEGIN_ALLOW_THREADS
    for (long i = 0; i < threads; ++i) {
        works[i] = (Work){function, times, 0};
        failures += pthread_create(&started[i], NULL, work, &works[i]) != 0;
    }
    for (long i = 0; i < threads; ++i) {
        pthread_join(started[i], NULL);
        failures += works[i].failures;
    }
    Py_END_ALLOW_THREADS
    return PyLong_FromLong(failures);
}

static PyMethodDef methods[] = {{"call", call, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "foreign_thread", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_foreign_thread(void) { return PyModule_Create(&definition); }
