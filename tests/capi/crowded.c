/* A library that takes most of what the C library keeps in each thread for those that are loaded late. */

#ifndef BYTES
#define BYTES 1600
#endif

static __thread char taken[BYTES] __attribute__((tls_model("initial-exec")));

char* first_of_taken(void) { return taken; }
