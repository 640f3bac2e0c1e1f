/* A library that takes most of the static TLS that the C library reserves for libraries that are loaded late. */

#ifndef BYTES
#define BYTES 1600
#endif

static __thread char taken[BYTES] __attribute__((tls_model("initial-exec")));

char* first_of_taken(void) { return taken; }
