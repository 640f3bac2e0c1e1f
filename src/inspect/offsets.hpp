// A table from which a debugger or another process learns where threads, greenlets and their fields are.
//
// The extension module has one, in a section of its own, `.greenlet_offsets`. It is found without symbols too: by its
// magic word and by its own address, in the memory into which the module is mapped.
//
// The table says nothing of CPython's structures. Whoever reads those must be built for the same version of CPython.

#pragma once

#include <cstdint>

namespace inspect {

// Raised with each change of the table.
inline constexpr std::uint32_t table_version = 1;
inline constexpr char table_magic[16] = "greenletOffsets";

enum Build : std::uint32_t { debug_build = 1, free_threaded = 2 };

struct Offsets {
    char magic[sizeof table_magic];
    std::uint32_t size;  // of the table, in bytes
    std::uint32_t version;
    std::uint32_t python_version;  // PY_VERSION_HEX
    std::uint32_t build;           // bits of Build
    const Offsets* self;           // its own address
    const void* first_thread;      // where the pointer to the first ThreadPlace is
    const void* code_type;         // the addresses of CPython's types
    const void* text_type;
    const void* function_type;
    const void* method_type;

    struct {
        std::uint32_t thread, module, next;
    } thread_place;
    struct {
        std::uint32_t size, thread_state, identity, place, current, origin, main, active, main_activation, switches,
            started, ended;
    } thread;
    struct {
        std::uint32_t implementation;  // the Greenlet
    } object;
    struct {
        std::uint32_t size, thread, activation, stack_pointer, phase, role, parent, resumer;
        std::uint32_t active_phase, main_role, body_role;  // values of the fields
    } greenlet;
    struct {
        std::uint32_t size, greenlet, next, run, slot, number;
        // Of its saved thread state.
        std::uint32_t frame, chunk, link, suspensions;
        std::uint32_t link_frame;  // from the begin of the link to its frame
    } activation;
};

#ifdef __ELF__
#define GREENLET_OFFSETS_SECTION gnu::section(".greenlet_offsets")
#else
#define GREENLET_OFFSETS_SECTION  // found by its magic word alone
#endif

extern "C" [[gnu::visibility("default"), GREENLET_OFFSETS_SECTION]] const Offsets greenlet_offsets;

}  // namespace inspect
