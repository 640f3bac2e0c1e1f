/* A static type derived from greenlet, as extension modules define them (Cython made one of gevent.Greenlet). */

#define PY_SSIZE_T_CLEAN
#include "greenlet/greenlet.h"

typedef struct {
    PyGreenlet greenlet;
    PyObject* attribute;
} StaticGreenlet;

static PyTypeObject static_type;

static int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(((StaticGreenlet*)self)->attribute);
    return static_type.tp_base->tp_traverse(self, visit, arg);
}

static int clear(PyObject* self) {
    Py_CLEAR(((StaticGreenlet*)self)->attribute);
    return static_type.tp_base->tp_clear(self);
}

static void deallocate(PyObject* self) {
    PyObject_GC_UnTrack(self);
    Py_CLEAR(((StaticGreenlet*)self)->attribute);
    PyObject_GC_Track(self);
    static_type.tp_base->tp_dealloc(self);
}

static PyTypeObject static_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "static_subclass.StaticGreenlet",
    .tp_basicsize = sizeof(StaticGreenlet),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = traverse,
    .tp_clear = clear,
    .tp_dealloc = deallocate,
};

static struct PyModuleDef module_definition = {PyModuleDef_HEAD_INIT, "static_subclass", NULL, -1, NULL};

PyMODINIT_FUNC PyInit_static_subclass(void) {
    PyGreenlet_Import();
    if (_PyGreenlet_API == NULL) {
        return NULL;
    }
    static_type.tp_base = &PyGreenlet_Type;
    /* A static type may not derive from a heap type, says PyType_Ready(). Cython gets round that so. */
    static_type.tp_flags |= Py_TPFLAGS_HEAPTYPE;
    int ready = PyType_Ready(&static_type);
    static_type.tp_flags &= ~Py_TPFLAGS_HEAPTYPE;
    if (ready < 0) {
        return NULL;
    }
    PyObject* module = PyModule_Create(&module_definition);
    if (module != NULL && PyModule_AddObjectRef(module, "StaticGreenlet", (PyObject*)&static_type) < 0) {
        Py_CLEAR(module);
    }
    return module;
}
