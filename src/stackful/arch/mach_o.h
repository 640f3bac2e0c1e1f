// For the assembly files: what macOS's object files, Mach-O, call otherwise than ELF. The files are written for ELF.
// With this they are assembled for Mach-O too, by Clang.
//
//   - The names of C functions begin with an underscore.
//   - Symbols have no type and no size, and "hidden" has another name.
//   - Only assembler-local labels, which begin with L, may lie within a function that has call-frame information.
//   - In a macro without parameters `$8` is its eighth argument, so the number is written `$(8)` there.
//
// The files must not say .subsections_via_symbols. With that, the linker would take what lies between two symbols for a
// function of its own, and could move or remove it.

#if defined(__APPLE__)

#define stackful_switch _stackful_switch
#define stackful_switch_arriving _stackful_switch_arriving
#define stackful_switch_arriving_by_jump _stackful_switch_arriving_by_jump
#define stackful_make_context _stackful_make_context
#define stackful_call_on _stackful_call_on
#define stackful_call_beside _stackful_call_beside

#define LOCAL(name) L##name

        // A macro is preferred to a directive of the same name.
        .macro  .hidden name
        .private_extern \name
        .endm

        .macro  .type name, kind
        .endm

        .macro  .size name, bytes
        .endm

#else

#define LOCAL(name) .L##name

#endif
