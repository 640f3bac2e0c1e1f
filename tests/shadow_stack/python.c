/* CPython, with a shadow stack if GLIBC_TUNABLES asks for one. Debian's C library would, but is built without that.

The shadow stack is empty at first, so main() must not return. --changed-return does not start CPython but returns to an
address that was not called from. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <asm/prctl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef ARCH_SHSTK_ENABLE
#define ARCH_SHSTK_ENABLE 0x5001
#define ARCH_SHSTK_SHSTK 1
#endif

static void arrive(void) {
    puts("arrived");
    fflush(stdout);
    _exit(0);
}

__attribute__((noinline, optimize("no-omit-frame-pointer"))) static void return_elsewhere(void) {
    void* volatile* frame = __builtin_frame_address(0);
    frame[1] = (void*)arrive;
}

int main(int argc, char** argv) {
    const char* tunables = getenv("GLIBC_TUNABLES");
    if (tunables != NULL && strstr(tunables, "glibc.cpu.x86_shstk=on") != NULL) {
        long result = SYS_arch_prctl;
        __asm__ volatile("syscall"
                         : "+a"(result)
                         : "D"(ARCH_SHSTK_ENABLE), "S"(ARCH_SHSTK_SHSTK)
                         : "rcx", "r11", "memory");
        if (result != 0) {
            fprintf(stderr, "no shadow stack: %s\n", strerror((int)-result));
        }
    }
    if (argc == 2 && strcmp(argv[1], "--changed-return") == 0) {
        return_elsewhere();
    }
    exit(Py_BytesMain(argc, argv));
}
