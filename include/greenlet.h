/* The C API of greenlet, for extension modules in C and C++.
 *
 * Call PyGreenlet_Import() once, when the module is initialized. It leaves an exception set if greenlet can't be
 * imported. All other functions are called through a table of twelve entries whose order never changes, so an extension
 * that is compiled with any version of this header works with any version of greenlet.
 *
 * A greenlet object begins with the struct PyGreenlet. Its layout never changes either: extension types may embed it to
 * derive from greenlet.
 */

#ifndef Py_GREENLETOBJECT_H
#define Py_GREENLETOBJECT_H

#include <Python.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Not the package's version, and never changes. Kept for old code. */
#define GREENLET_VERSION "1.0.0"

#ifndef GREENLET_MODULE
#define implementation_ptr_t void*
#endif

typedef struct _greenlet {
    PyObject_HEAD
    PyObject* weakreflist;
    PyObject* dict;
    implementation_ptr_t pimpl; /* private to greenlet */
} PyGreenlet;

/* The entries of the table. */
#define PyGreenlet_Type_NUM 0
#define PyExc_GreenletError_NUM 1
#define PyExc_GreenletExit_NUM 2
#define PyGreenlet_New_NUM 3
#define PyGreenlet_GetCurrent_NUM 4
#define PyGreenlet_Throw_NUM 5
#define PyGreenlet_Switch_NUM 6
#define PyGreenlet_SetParent_NUM 7
#define PyGreenlet_MAIN_NUM 8
#define PyGreenlet_STARTED_NUM 9
#define PyGreenlet_ACTIVE_NUM 10
#define PyGreenlet_GET_PARENT_NUM 11
#define PyGreenlet_API_pointers 12

#ifndef GREENLET_MODULE

static void** _PyGreenlet_API = NULL;

/* Imports greenlet and finds its table. On failure _PyGreenlet_API stays NULL and an exception is set. */
#define PyGreenlet_Import() \
    { _PyGreenlet_API = (void**)PyCapsule_Import("greenlet._C_API", 0); }

/* The class greenlet.greenlet, and the exceptions greenlet.error and greenlet.GreenletExit. They are the main
 * interpreter's. In another interpreter, take them from the module, with PyImport_ImportModule("greenlet"). */
#define PyGreenlet_Type (*(PyTypeObject*)_PyGreenlet_API[PyGreenlet_Type_NUM])
#define PyExc_GreenletError ((PyObject*)_PyGreenlet_API[PyExc_GreenletError_NUM])
#define PyExc_GreenletExit ((PyObject*)_PyGreenlet_API[PyExc_GreenletExit_NUM])

/* True for a greenlet of any class; false for NULL. */
#define PyGreenlet_Check(op) ((op) && PyObject_TypeCheck((op), &PyGreenlet_Type))

/* The functions check their arguments: if one is not a greenlet, they set TypeError and return NULL or -1. A greenlet
 * may be in any state. PyGreenlet_Switch and PyGreenlet_Throw fail with SystemError if an exception is set when they
 * are called. */

/* greenlet.greenlet(run, parent): either may be NULL. Returns a new reference, or NULL with an exception set. */
#define PyGreenlet_New (*(PyGreenlet * (*)(PyObject * run, PyGreenlet * parent)) _PyGreenlet_API[PyGreenlet_New_NUM])

/* greenlet.getcurrent(): returns a new reference, or NULL with an exception set. */
#define PyGreenlet_GetCurrent (*(PyGreenlet * (*)(void)) _PyGreenlet_API[PyGreenlet_GetCurrent_NUM])

/* g.throw(type, value, traceback): each may be NULL; the default type is GreenletExit. Returns a new reference to the
 * value that the caller is resumed with, or NULL with an exception set. */
#define PyGreenlet_Throw                                                                        \
    (*(PyObject * (*)(PyGreenlet * g, PyObject * type, PyObject * value, PyObject * traceback)) \
         _PyGreenlet_API[PyGreenlet_Throw_NUM])

/* g.switch(*args, **kwargs): args is a tuple or NULL, kwargs a dict or NULL. Returns a new reference to the value that
 * the caller is resumed with, or NULL with an exception set. */
#define PyGreenlet_Switch \
    (*(PyObject * (*)(PyGreenlet * g, PyObject * args, PyObject * kwargs)) _PyGreenlet_API[PyGreenlet_Switch_NUM])

/* g.parent = parent: returns 0, or -1 with an exception set. */
#define PyGreenlet_SetParent (*(int (*)(PyGreenlet * g, PyGreenlet * parent)) _PyGreenlet_API[PyGreenlet_SetParent_NUM])

/* g.parent: returns a new reference. If there is no parent, returns NULL without an exception. If g is not a greenlet,
 * returns NULL with an exception set. */
#define PyGreenlet_GetParent (*(PyGreenlet * (*)(PyGreenlet * g)) _PyGreenlet_API[PyGreenlet_GET_PARENT_NUM])
#define PyGreenlet_GET_PARENT PyGreenlet_GetParent

/* MAIN returns 1 if g is a thread's main greenlet, STARTED if g has been started, ACTIVE if g has been started and has
 * not finished. Otherwise they return 0, or -1 with an exception set if g is not a greenlet. */
#define PyGreenlet_MAIN (*(int (*)(PyGreenlet * g)) _PyGreenlet_API[PyGreenlet_MAIN_NUM])
#define PyGreenlet_STARTED (*(int (*)(PyGreenlet * g)) _PyGreenlet_API[PyGreenlet_STARTED_NUM])
#define PyGreenlet_ACTIVE (*(int (*)(PyGreenlet * g)) _PyGreenlet_API[PyGreenlet_ACTIVE_NUM])

#endif /* GREENLET_MODULE */

#ifdef __cplusplus
}
#endif

#endif /* Py_GREENLETOBJECT_H */
