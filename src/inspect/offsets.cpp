#include "inspect/offsets.hpp"

#include "core/thread_list.hpp"
#include "interpreter/frames/copied.hpp"

#pragma GCC diagnostic ignored "-Winvalid-offsetof"  // GCC supports it for all of our classes

// gdb reads this section with the symbols, and loads the commands for greenlets: python/greenlet/_gdb.py, which is
// installed beside the extension module. The first byte says that a script follows, the first line is its name.
#ifdef __ELF__
asm(R"(
        .pushsection .debug_gdb_scripts, "MS", %progbits, 1
        .byte   4
        .ascii  "gdb.inlined-script.greenlet\n"
        .ascii  "import os, gdb\n"
        .ascii  "gdb.execute('source ' + os.path.join(os.path.dirname(gdb.current_objfile().filename), '_gdb.py'))\n"
        .byte   0
        .popsection
)");
#endif

// On Windows the addresses of CPython's objects are found when the module is loaded.
#if defined(_WIN32)
#define GREENLET_CONSTINIT
#else
#define GREENLET_CONSTINIT constinit
#endif

namespace inspect {

namespace {

using core::Activation;
using core::Greenlet;
using core::Thread;
using core::ThreadPlace;
using interpreter::CopiedPlaces;

constexpr std::uint32_t build =
#ifdef Py_DEBUG
    debug_build +
#endif
#ifdef Py_GIL_DISABLED
    free_threaded +
#endif
    0;

constexpr std::uint32_t in_state(std::size_t offset) noexcept {
    return static_cast<std::uint32_t>(offsetof(Activation, state) + offset);
}

static_assert(sizeof(interpreter::SharedValue<Thread*>) == sizeof(Thread*) &&
              sizeof(interpreter::SharedValue<core::Phase>) == 1 && sizeof(std::atomic<Thread*>) == sizeof(Thread*));

}  // namespace

extern "C" [[gnu::used]] GREENLET_CONSTINIT const Offsets greenlet_offsets{
    .magic = "greenletOffsets",
    .size = sizeof(Offsets),
    .version = table_version,
    .python_version = PY_VERSION_HEX,
    .build = build,
    .self = &greenlet_offsets,
    .first_thread = core::ThreadList::address(),
    .code_type = &PyCode_Type,
    .text_type = &PyUnicode_Type,
    .function_type = &PyFunction_Type,
    .method_type = &PyMethod_Type,
    .thread_place = {offsetof(ThreadPlace, thread), offsetof(ThreadPlace, module), offsetof(ThreadPlace, next)},
    .thread = {.size = sizeof(Thread),
               .thread_state = offsetof(Thread, thread_state),
               .identity = offsetof(Thread, identity),
               .place = offsetof(Thread, place),
               .current = offsetof(Thread, current),
               .origin = offsetof(Thread, origin),
               .main = offsetof(Thread, main),
               .active = offsetof(Thread, active),
               .main_activation = offsetof(Thread, main_activation),
               .switches = offsetof(Thread, switches),
               .started = offsetof(Thread, started),
               .ended = offsetof(Thread, ended)},
    .object = {.implementation = offsetof(PyGreenlet, pimpl)},
    .greenlet = {.size = sizeof(Greenlet),
                 .thread = offsetof(Greenlet, thread),
                 .activation = offsetof(Greenlet, activation),
                 .stack_pointer = offsetof(Greenlet, execution.context.stack_pointer),
                 .phase = offsetof(Greenlet, phase),
                 .role = offsetof(Greenlet, role),
                 .parent = offsetof(Greenlet, parent),
                 .resumer = offsetof(Greenlet, resumer),
                 .active_phase = static_cast<std::uint32_t>(core::Phase::active),
                 .main_role = static_cast<std::uint32_t>(core::Role::main),
                 .body_role = static_cast<std::uint32_t>(core::Role::body)},
    .activation = {.size = sizeof(Activation),
                   .greenlet = offsetof(Activation, greenlet),
                   .next = offsetof(Activation, next),
                   .run = offsetof(Activation, run),
                   .slot = offsetof(Activation, slot),
                   .number = offsetof(Activation, number),
                   .frame = in_state(CopiedPlaces::state_frame),
                   .chunk = in_state(CopiedPlaces::state_chunk),
                   .link = in_state(CopiedPlaces::state_link),
                   .suspensions = in_state(CopiedPlaces::state_suspensions),
                   .link_frame = CopiedPlaces::link_frame},
};

}  // namespace inspect
