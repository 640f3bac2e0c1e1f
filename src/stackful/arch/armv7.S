// The context switch for 32-bit Arm under the AAPCS with VFP registers (Linux, "armhf"; ARMv6 with VFPv2 and later).
//
// What a switch has to save. It is called like any function, so the compiler has already saved what it still needs in
// the registers that a called function may change. What is left are the registers that a called function must preserve:
// r4 to r11, d8 to d15, the stack pointer, and the control bits of FPSCR (rounding mode). The return address is in lr.
// A switch stores them on the stack of the execution that leaves, exchanges the stack pointer, and loads everything
// from the other stack.
//
// On the left a suspended execution, on the right one that make_context has made and that was never resumed:
//
//          |  frames of the    |
//          |     caller        |
//          +-------------------+                     +-------------------+ <- stack_base
//    +100  |  lr               |               +100  |  stackful_begin   |
//     +68  |  r4 to r11        |                +68  |  entry, and 0     |
//      +4  |  d8 to d15        |                 +4  |  read; no meaning |
//      +0  |  FPSCR            | <- Context      +0  |  FPSCR            | <- Context
//          +-------------------+                     +-------------------+
//
// A beginning. The first switch "returns" to stackful_begin, which makes stackful_root the return address and jumps to
// entry. The argument is in r0 already. While an execution runs, its stack is an ordinary one, whose outermost frame is
// that of its entry function, which stackful_root has seemingly called. Nothing of stackful_root ever runs. r7 and r11,
// the frame pointers of Thumb and of Arm code, start as 0.
//
// Predicting the return. As in aarch64.S. The processor takes `bx lr` for a return, and `bx r12` for none.
//
// The control bits are saved each time, but written only if they differ. The other bits of FPSCR, the exceptions that
// have occurred and the condition flags, belong to the thread.
//
// What an unwinder needs. On this processor C++ exceptions and backtrace() use the tables of the Arm exception-handling
// ABI, which have one description for each function: .fnstart, .save and so on. Where they say .cantunwind, the stack
// ends. Debuggers use call-frame information, in .debug_frame. In that the return address of stackful_root is marked
// undefined. Neither changes where the stack pointer is exchanged, because both stacks look the same there. So a
// debugger that is given sp = Context::stack_pointer and pc = stackful_suspended shows the frames of a suspended
// execution. Unwinders look a return address up some bytes before it, in the `bl`, so stackful_begin and stackful_root
// start with a `nop` in its place.

        .syntax unified
        .arm
        .cfi_sections .debug_frame
        .text

        // Stores the registers of the execution that leaves. r4 to r11 are free then, and r4 is its control bits.
        .macro  save_registers
        push    {r4-r11, lr}
        .save   {r4-r11, lr}
        .cfi_adjust_cfa_offset 36
        .cfi_rel_offset r4, 0
        .cfi_rel_offset r5, 4
        .cfi_rel_offset r6, 8
        .cfi_rel_offset r7, 12
        .cfi_rel_offset r8, 16
        .cfi_rel_offset r9, 20
        .cfi_rel_offset r10, 24
        .cfi_rel_offset r11, 28
        .cfi_rel_offset lr, 32
        vpush   {d8-d15}
        .vsave  {d8-d15}
        .cfi_adjust_cfa_offset 64
        .cfi_rel_offset d8, 0
        .cfi_rel_offset d9, 8
        .cfi_rel_offset d10, 16
        .cfi_rel_offset d11, 24
        .cfi_rel_offset d12, 32
        .cfi_rel_offset d13, 40
        .cfi_rel_offset d14, 48
        .cfi_rel_offset d15, 56
        control_bits r4
        str     r4, [sp, #-4]!
        .pad    #4
        .cfi_adjust_cfa_offset 4
        .endm

        // Loads those of the execution that resumes.
        .macro  load_registers
        ldr     r5, [sp]
        cmp     r4, r5
        bne     2f
1:      .cfi_remember_state
        add     sp, sp, #4
        .cfi_adjust_cfa_offset -4
        vpop    {d8-d15}
        .cfi_adjust_cfa_offset -64
        .cfi_restore d8
        .cfi_restore d9
        .cfi_restore d10
        .cfi_restore d11
        .cfi_restore d12
        .cfi_restore d13
        .cfi_restore d14
        .cfi_restore d15
        pop     {r4-r11, lr}
        .cfi_adjust_cfa_offset -36
        .cfi_restore r4
        .cfi_restore r5
        .cfi_restore r6
        .cfi_restore r7
        .cfi_restore r8
        .cfi_restore r9
        .cfi_restore r10
        .cfi_restore r11
        .cfi_restore lr
        .endm

        // Out of line, where the control bits differ. `1` is in load_registers.
        .macro  load_control_bits
        .cfi_restore_state
2:      vmrs    r6, fpscr
        eor     r6, r6, r4
        orr     r6, r6, r5
        vmsr    fpscr, r6
        b       1b
        .endm

        .macro  control_bits register
        vmrs    \register, fpscr
        bic     \register, \register, #0xf8000000
        bic     \register, \register, #0x9f
        .endm

        .macro  begin_local_function name
        .type   \name, %function
        .p2align 4
\name:
        .fnstart
        .cfi_startproc
        .endm

        .macro  begin_function name
        .globl  \name
        .hidden \name
        begin_local_function \name
        .endm

        .macro  end_function name
        .cfi_endproc
        .fnend
        .size   \name, . - \name
        .endm

// void* stackful_switch(Context* from, Context to, void* transfer)
//                       r0             r1          r2
        begin_function stackful_switch
        save_registers
        str     sp, [r0]
        mov     sp, r1                          // from here on we are on the other stack

        .globl  stackful_suspended
        .hidden stackful_suspended
stackful_suspended:
        mov     r0, r2                          // the result of stackful_switch, or the argument of an entry function
        load_registers
        bx      lr
        load_control_bits
        end_function stackful_switch

// Does not touch the registers that hold the arguments of `arrival`.
//
// void* stackful_switch_arriving(void* x, void* y, void* transfer, Context* from, Context to, Arrival arrival)
//                                r0       r1       r2              r3             sp + 0      + 4
        begin_function stackful_switch_arriving
        save_registers
        ldr     r5, [sp, #104]
        ldr     r12, [sp, #108]
        str     sp, [r3]
        mov     sp, r5                          // from here on we are on the other stack
        load_registers
        bx      r12                             // to what returns to the other execution
        load_control_bits
        end_function stackful_switch_arriving

// void* stackful_make_context(void* stack_base, EntryPoint entry)
//                             r0                r1
        begin_function stackful_make_context
        control_bits r2
        adr     r3, .Lbegin
        str     r3, [r0, #-4]!
        mov     r3, #0
        str     r3, [r0, #-4]!                  // r11
        str     r3, [r0, #-16]!                 // r7
        str     r1, [r0, #-12]!                 // r4
        str     r2, [r0, #-68]!                 // FPSCR
        bx      lr
        end_function stackful_make_context

// A call on another stack, below the frames of the execution that is suspended there. r11 remembers the place on our
// own stack, and says where our frames are, whatever the stack pointer is:
//
//          our stack                               the other stack
//     |  frames of the    |                     |  frames of the    |
//     |     caller        |                     |    suspended one  |
//     +-------------------+                     |   and its saved   |
//     |  r11, lr          |                     |     registers     |
//     |  r11, lr          | <- r11              +-------------------+ <- stack_pointer
//     +-------------------+                     |  frames of        |
//                                               |     function      | <- sp
//
// The tables for exceptions need no more than one frame. For debuggers there are two, as in x86_64.S.

        .macro  push_frame
        push    {r11, lr}
        .save   {r11, lr}
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r11, 0
        .cfi_rel_offset lr, 4
        mov     r11, sp
        .setfp  r11, sp
        .cfi_def_cfa_register r11
        .endm

        .macro  pop_frame
        mov     sp, r11
        .cfi_def_cfa_register sp
        pop     {r11, lr}
        .cfi_adjust_cfa_offset -8
        .cfi_restore r11
        .cfi_restore lr
        .endm

// void* stackful_call_on(void* stack_pointer, Function function, void* argument)
//                        r0                   r1                 r2
        begin_function stackful_call_on
        push_frame
        bl      stackful_go_below
        pop_frame
        bx      lr
        end_function stackful_call_on

        begin_local_function stackful_go_below
        .cfi_signal_frame
        push_frame
        mov     sp, r0
        mov     r0, r2
        blx     r1
        pop_frame
        bx      lr
        end_function stackful_go_below

// Calls the function on the caller's own stack. To an unwinder it looks as if a suspended execution had made the call:
// both tables say where the registers of that execution are saved.
//
// void* stackful_call_beside(void* stack_pointer, Function function, void* argument)
//                            r0                   r1                 r2
        begin_function stackful_call_beside
        .save   {r4-r11, lr}
        .vsave  {d8-d15}
        .pad    #4
        .movsp  r4
        push    {r4, lr}
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r4, 0
        .cfi_rel_offset lr, 4
        mov     r4, r0
        mov     r0, r2
        .cfi_remember_state
        .cfi_def_cfa r4, 104
        .cfi_offset r4, -36
        .cfi_offset r5, -32
        .cfi_offset r6, -28
        .cfi_offset r7, -24
        .cfi_offset r8, -20
        .cfi_offset r9, -16
        .cfi_offset r10, -12
        .cfi_offset r11, -8
        .cfi_offset lr, -4
        blx     r1
        .cfi_restore_state
        pop     {r4, lr}
        .cfi_adjust_cfa_offset -8
        .cfi_restore r4
        .cfi_restore lr
        bx      lr
        end_function stackful_call_beside

// Nothing calls these two. They are return addresses.
        begin_local_function stackful_begin
        .cantunwind
        .cfi_undefined lr
        nop
.Lbegin:
        mov     r12, r4
        adr     lr, .Lroot
        bx      r12
        end_function stackful_begin

        begin_local_function stackful_root
        .cantunwind
        .cfi_undefined lr
        nop
.Lroot:
        udf     #0
        end_function stackful_root

        .section .note.GNU-stack, "", %progbits
