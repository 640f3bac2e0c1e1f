/* Static types derived from greenlet, as extension modules define them (Cython does so for gevent.Greenlet). */

#define PY_SSIZE_T_CLEAN
#include "greenlet/greenlet.h"

typedef struct {
    PyGreenlet greenlet;
    PyObject* attribute;
} StaticGreenlet;

static PyTypeObject static_type, cython_type;

static int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(((StaticGreenlet*)self)->attribute);
    return PyGreenlet_Type.tp_traverse(self, visit, arg);
}

static int clear(PyObject* self) {
    Py_CLEAR(((StaticGreenlet*)self)->attribute);
    return PyGreenlet_Type.tp_clear(self);
}

static void deallocate(PyObject* self) {
    PyObject_GC_UnTrack(self);
    Py_CLEAR(((StaticGreenlet*)self)->attribute);
    PyObject_GC_Track(self);
    PyGreenlet_Type.tp_dealloc(self);
}

#define STATIC_TYPE(name)                                                          \
    {                                                                              \
        PyVarObject_HEAD_INIT(NULL, 0).tp_name = "static_subclass." name,          \
        .tp_basicsize = sizeof(StaticGreenlet),                                    \
        .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, \
        .tp_traverse = traverse,                                                   \
        .tp_clear = clear,                                                         \
        .tp_dealloc = deallocate,                                                  \
    }

static PyTypeObject static_type = STATIC_TYPE("StaticGreenlet");
static PyTypeObject cython_type = STATIC_TYPE("CythonGreenlet");

/* PyType_Ready() does not let a static type derive from a heap type. As a workaround, Cython marks its type as a heap
 * type during the call. */
static int make_ready_as_cython_does(PyTypeObject* type) {
    type->tp_flags |= Py_TPFLAGS_HEAPTYPE;
    int ready = PyType_Ready(type);
    type->tp_flags &= ~Py_TPFLAGS_HEAPTYPE;
    return ready;
}

static struct PyModuleDef module_definition = {PyModuleDef_HEAD_INIT, "static_subclass", NULL, -1, NULL};

PyMODINIT_FUNC PyInit_static_subclass(void) {
    PyGreenlet_Import();
    if (_PyGreenlet_API == NULL) {
        return NULL;
    }
    static_type.tp_base = cython_type.tp_base = &PyGreenlet_Type;
    if (PyType_Ready(&static_type) < 0 || make_ready_as_cython_does(&cython_type) < 0) {
        return NULL;
    }
    PyObject* module = PyModule_Create(&module_definition);
    if (module != NULL && (PyModule_AddObjectRef(module, "StaticGreenlet", (PyObject*)&static_type) < 0 ||
                           PyModule_AddObjectRef(module, "CythonGreenlet", (PyObject*)&cython_type) < 0)) {
        Py_CLEAR(module);
    }
    return module;
}
