// The context switch for AArch64 under AAPCS64 (Linux).
//
// What a switch has to save. It is called like any function, so the compiler has already saved what it still needs in
// the registers that a called function may change. What is left are the registers that a called function must preserve:
// x19 to x28, the frame pointer x29, the lower halves of v8 to v15 (that is, d8 to d15), the stack pointer, and the
// floating-point control register FPCR (rounding mode). The return address is in x30. A switch stores them on the stack
// of the execution that leaves, exchanges the stack pointer, and loads everything from the other stack.
//
// On the left a suspended execution, on the right one that make_context has made and that was never resumed:
//
//          |  frames of the    |
//          |     caller        |
//          +-------------------+                     +-------------------+ <- stack_base
//    +160  |  FPCR  |          |               +160  |  FPCR  |          |
//    +144  |  d14, d15         |                     |                   |
//    +128  |  d12, d13         |                     |   read, but       |
//    +112  |  d10, d11         |                     |   of no meaning   |
//     +96  |  d8, d9           |                +96  |                   |
//     +80  |  x27, x28         |                +80  |                   |
//     +64  |  x25, x26         |                +64  |                   |
//     +48  |  x23, x24         |                +48  |                   |
//     +32  |  x21, x22         |                +32  |                   |
//     +16  |  x19, x20         |                +16  |  entry, -         |
//      +0  |  x29, x30         | <- Context      +0  |  0, stackful_begin| <- Context
//          +-------------------+                     +-------------------+
//
// A beginning. The first switch "returns" to stackful_begin, which makes stackful_root the return address and jumps to
// entry. The argument is in x0 already. While an execution runs, its stack is an ordinary one, whose outermost frame is
// that of its entry function, which stackful_root has seemingly called. Nothing of stackful_root ever runs. x29 starts
// as 0, which ends a chain of frame pointers.
//
// Predicting the return. The processor predicts a `ret` from the `bl`s it has seen. If the same `bl` instruction
// suspends all executions, the prediction is right although we return on another stack, and remains so for the callers.
// (x86_64.S jumps where the instructions differ. That is impossible here: under branch target identification only a
// `ret` may go to a place that is not marked as a target.)
//
// FPCR is saved each time, but written only if it differs, because a write makes the processor wait. This was not
// measured, for lack of an AArch64 processor.
//
// What an unwinder needs. For each instruction, the call-frame information of stackful_switch says where the registers
// of the caller are. It does not change where the stack pointer is exchanged, because both stacks look the same there.
// So a debugger that is given sp = Context::stack_pointer and pc = stackful_suspended shows the frames of a suspended
// execution. The return address of stackful_root is marked undefined: there the stack ends, and an unwinder stops.
// Unwinders look a return address up one instruction before it, in the `bl`, so stackful_begin and stackful_root start
// with a `nop` in its place.
//
// Protection. The instructions for it are hints: processors without the features ignore them. The object file says that
// it has both.
//
//   - Branch target identification. `bti c` marks what may be called through a pointer; `paciasp` is such a mark too.
//     stackful_begin reaches entry through x16, which such a mark allows.
//   - Pointer authentication. Each return address that lies on a stack is signed, with the stack pointer that the caller
//     had. It is the same when an execution is resumed, and all threads of a process have the same keys. Whoever
//     overwrites the return address of a suspended execution makes the resumption end in a trap.
//
// The shadow call stack in x18 and the guarded control stack are not supported.

#include "stackful/arch/mach_o.inc"

        .text

        // Signs the return address; authenticate undoes it, or traps if the address is not the one that was signed.
        .macro  sign
        hint    #25                             // paciasp
        .cfi_negate_ra_state
        .endm

        .macro  authenticate
        hint    #29                             // autiasp
        .cfi_negate_ra_state
        .endm

        // Stores the registers of the execution that leaves, but for FPCR.
        .macro  save_registers
        sign
        stp     x29, x30, [sp, #-176]!
        .cfi_adjust_cfa_offset 176
        .cfi_rel_offset x29, 0
        .cfi_rel_offset x30, 8
        stp     x19, x20, [sp, #16]
        .cfi_rel_offset x19, 16
        .cfi_rel_offset x20, 24
        stp     x21, x22, [sp, #32]
        .cfi_rel_offset x21, 32
        .cfi_rel_offset x22, 40
        stp     x23, x24, [sp, #48]
        .cfi_rel_offset x23, 48
        .cfi_rel_offset x24, 56
        stp     x25, x26, [sp, #64]
        .cfi_rel_offset x25, 64
        .cfi_rel_offset x26, 72
        stp     x27, x28, [sp, #80]
        .cfi_rel_offset x27, 80
        .cfi_rel_offset x28, 88
        stp     d8, d9, [sp, #96]
        .cfi_rel_offset d8, 96
        .cfi_rel_offset d9, 104
        stp     d10, d11, [sp, #112]
        .cfi_rel_offset d10, 112
        .cfi_rel_offset d11, 120
        stp     d12, d13, [sp, #128]
        .cfi_rel_offset d12, 128
        .cfi_rel_offset d13, 136
        stp     d14, d15, [sp, #144]
        .cfi_rel_offset d14, 144
        .cfi_rel_offset d15, 152
        .endm

        // Loads those of the execution that resumes.
        .macro  load_registers
        ldp     d14, d15, [sp, #144]
        ldp     d12, d13, [sp, #128]
        ldp     d10, d11, [sp, #112]
        ldp     d8, d9, [sp, #96]
        ldp     x27, x28, [sp, #80]
        ldp     x25, x26, [sp, #64]
        ldp     x23, x24, [sp, #48]
        ldp     x21, x22, [sp, #32]
        ldp     x19, x20, [sp, #16]
        .cfi_remember_state
        ldp     x29, x30, [sp], #176
        .cfi_adjust_cfa_offset -176
        .cfi_restore x19
        .cfi_restore x20
        .cfi_restore x21
        .cfi_restore x22
        .cfi_restore x23
        .cfi_restore x24
        .cfi_restore x25
        .cfi_restore x26
        .cfi_restore x27
        .cfi_restore x28
        .cfi_restore x29
        .cfi_restore x30
        .cfi_restore d8
        .cfi_restore d9
        .cfi_restore d10
        .cfi_restore d11
        .cfi_restore d12
        .cfi_restore d13
        .cfi_restore d14
        .cfi_restore d15
        authenticate
        .endm

// void* stackful_switch(Context* from, Context to, void* transfer)
//                       x0             x1          x2
        .globl  stackful_switch
        .hidden stackful_switch
        .type   stackful_switch, %function
        .p2align 6
stackful_switch:
        .cfi_startproc
        save_registers
        mrs     x3, fpcr
        str     x3, [sp, #160]

        mov     x4, sp
        str     x4, [x0]
        mov     sp, x1                          // from here on we are on the other stack

#if defined(__ELF__)
        .globl  stackful_suspended
        .hidden stackful_suspended
stackful_suspended:
#endif
        mov     x0, x2                          // the result of stackful_switch, or the argument of an entry function
        ldr     x4, [sp, #160]
        cmp     x3, x4
        b.ne    2f
1:      load_registers
        ret
        .cfi_restore_state
2:      msr     fpcr, x4
        b       1b
        .cfi_endproc
        .size   stackful_switch, . - stackful_switch

// Does not touch the registers that hold the arguments of `arrival`.
//
// void* stackful_switch_arriving(void* x, void* y, void* transfer, Context* from, Context to, Arrival arrival)
//                                x0       x1       x2              x3             x4          x5
        .globl  stackful_switch_arriving
        .hidden stackful_switch_arriving
        .type   stackful_switch_arriving, %function
        .p2align 6
stackful_switch_arriving:
        .cfi_startproc
        save_registers
        mrs     x6, fpcr
        str     x6, [sp, #160]

        mov     x7, sp
        str     x7, [x3]
        mov     sp, x4                          // from here on we are on the other stack
        ldr     x7, [sp, #160]
        cmp     x6, x7
        b.ne    2f
1:      load_registers
        mov     x16, x5                         // `bti c` allows a jump through x16
        br      x16                             // to what returns to the other execution
        .cfi_restore_state
2:      msr     fpcr, x7
        b       1b
        .cfi_endproc
        .size   stackful_switch_arriving, . - stackful_switch_arriving

// void* stackful_make_context(void* stack_base, EntryPoint entry)
//                             x0                x1
        .globl  stackful_make_context
        .hidden stackful_make_context
        .type   stackful_make_context, %function
        .p2align 4
stackful_make_context:
        .cfi_startproc
        hint    #34                             // bti c
        mov     x16, x0
        adr     x17, LOCAL(begin)
        hint    #8                              // pacia1716: as `paciasp` at the stack's base
        mrs     x3, fpcr
        sub     x0, x0, #176
        stp     xzr, x17, [x0]
        str     x1, [x0, #16]
        str     x3, [x0, #160]
        ret
        .cfi_endproc
        .size   stackful_make_context, . - stackful_make_context

// A call on another stack, below the frames of the execution that is suspended there. The frame pointer remembers the
// place on our own stack, and says where our frames are, whatever the stack pointer is:
//
//          our stack                               the other stack
//     |  frames of the    |                     |  frames of the    |
//     |     caller        |                     |    suspended one  |
//     +-------------------+                     |   and its saved   |
//     |  x29, x30         |                     |     registers     |
//     |  x29, x30         | <- x29              +-------------------+ <- stack_pointer
//     +-------------------+                     |  frames of        |
//                                               |     function      | <- sp
//
// x86_64.S says why there are two frames, and why the one that calls the function claims to be a signal handler's.
//
// void* stackful_call_on(void* stack_pointer, Function function, void* argument)
//                        x0                   x1                 x2
        .globl  stackful_call_on
        .hidden stackful_call_on
        .type   stackful_call_on, %function
        .p2align 4
stackful_call_on:
        .cfi_startproc
        sign
        stp     x29, x30, [sp, #-16]!
        .cfi_adjust_cfa_offset 16
        .cfi_rel_offset x29, 0
        .cfi_rel_offset x30, 8
        mov     x29, sp
        .cfi_def_cfa_register x29
        bl      stackful_go_below
        ldp     x29, x30, [sp], #16
        .cfi_def_cfa sp, 0
        .cfi_restore x29
        .cfi_restore x30
        authenticate
        ret
        .cfi_endproc
        .size   stackful_call_on, . - stackful_call_on

        .type   stackful_go_below, %function
        .p2align 4
stackful_go_below:
        .cfi_startproc
        .cfi_signal_frame
        sign
        stp     x29, x30, [sp, #-16]!
        .cfi_adjust_cfa_offset 16
        .cfi_rel_offset x29, 0
        .cfi_rel_offset x30, 8
        mov     x29, sp
        .cfi_def_cfa_register x29
        mov     sp, x0
        mov     x0, x2
        blr     x1
        mov     sp, x29
        .cfi_def_cfa_register sp
        ldp     x29, x30, [sp], #16
        .cfi_def_cfa sp, 0
        .cfi_restore x29
        .cfi_restore x30
        authenticate
        ret
        .cfi_endproc
        .size   stackful_go_below, . - stackful_go_below

// Calls the function on the caller's own stack. To an unwinder it looks as if a suspended execution had made the call:
// the call-frame information says where the registers of that execution are saved.
//
// void* stackful_call_beside(void* stack_pointer, Function function, void* argument)
//                            x0                   x1                 x2
        .globl  stackful_call_beside
        .hidden stackful_call_beside
        .type   stackful_call_beside, %function
        .p2align 4
stackful_call_beside:
        .cfi_startproc
        sign
        stp     x29, x30, [sp, #-32]!
        .cfi_adjust_cfa_offset 32
        .cfi_rel_offset x29, 0
        .cfi_rel_offset x30, 8
        str     x19, [sp, #16]
        .cfi_rel_offset x19, 16
        mov     x19, x0
        mov     x0, x2
        .cfi_remember_state
        .cfi_def_cfa x19, 176
        .cfi_offset x29, -176
        .cfi_offset x30, -168
        .cfi_offset x19, -160
        .cfi_offset x20, -152
        .cfi_offset x21, -144
        .cfi_offset x22, -136
        .cfi_offset x23, -128
        .cfi_offset x24, -120
        .cfi_offset x25, -112
        .cfi_offset x26, -104
        .cfi_offset x27, -96
        .cfi_offset x28, -88
        blr     x1
        .cfi_restore_state
        ldr     x19, [sp, #16]
        .cfi_restore x19
        ldp     x29, x30, [sp], #32
        .cfi_def_cfa sp, 0
        .cfi_restore x29
        .cfi_restore x30
        authenticate
        ret
        .cfi_endproc
        .size   stackful_call_beside, . - stackful_call_beside

// Nothing calls these two. They are return addresses.
        .type   stackful_begin, %function
        .p2align 4
stackful_begin:
        .cfi_startproc
        .cfi_undefined x30
        nop
LOCAL(begin):
        mov     x16, x19
        adr     x30, LOCAL(root)
        br      x16
        .cfi_endproc
        .size   stackful_begin, . - stackful_begin

        .type   stackful_root, %function
stackful_root:
        .cfi_startproc
        .cfi_undefined x30
        nop
LOCAL(root):
        brk     #1
        .cfi_endproc
        .size   stackful_root, . - stackful_root

#if defined(__ELF__)
        .section .note.gnu.property, "a"
        .p2align 3
        .long   4, 16, 5                        // length of the name, of the contents; NT_GNU_PROPERTY_TYPE_0
        .asciz  "GNU"
        .long   0xc0000000, 4                   // GNU_PROPERTY_AARCH64_FEATURE_1_AND, its length
        .long   3, 0                            // BTI and PAC; padding

        .section .note.GNU-stack, "", %progbits
#endif
