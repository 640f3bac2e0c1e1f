/* Embeds CPython: starts and ends the interpreter repeatedly, each time with suspended greenlets. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

int main(int argc, char** argv) {
    if (argc != 4) {
        return 2;
    }
    int rounds = atoi(argv[1]);
    for (int round = 0; round < rounds; ++round) {
        PyConfig config;
        PyConfig_InitPythonConfig(&config);
        PyStatus status = PyConfig_SetBytesString(&config, &config.executable, argv[2]);
        if (!PyStatus_Exception(status)) {
            status = Py_InitializeFromConfig(&config);
        }
        PyConfig_Clear(&config);
        if (PyStatus_Exception(status)) {
            Py_ExitStatusException(status);
        }
        if (PyRun_SimpleString(argv[3]) != 0) {
            return 3;
        }
        if (Py_FinalizeEx() != 0) {
            return 4;
        }
    }
    puts("end");
    return 0;
}
