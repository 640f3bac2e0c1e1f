// The context switch for 64-bit little-endian PowerPC under the ELFv2 ABI (Linux, POWER8 and later).
//
// What a switch has to save. It is called like any function, so the compiler has already saved what it still needs in
// the registers that a called function may change. What is left are the registers that a called function must preserve:
// r14 to r31, f14 to f31, v20 to v31, the fields cr2 to cr4 of the condition register, the stack pointer r1, and the
// control bits of FPSCR (rounding modes, exception masks). The return address is in LR. The pointer to the table of
// contents, r2, is the same for all callers, because they are in the library that this file is linked into. A switch
// stores the registers on the stack of the execution that leaves, exchanges the stack pointer, and loads everything
// from the other stack.
//
// Each frame begins with a header of 32 bytes: the back chain, which is the address of the caller's frame, then places
// where a *called* function saves CR, LR and r2. So the return address lies in the frame of the caller. On the left a
// suspended execution, on the right one that make_context has made and that was never resumed:
//
//          |  frames of the    |                     +-------------------+ <- stack_base
//          |     caller        |                     |  frame of         |
//    +544  |  LR               |               +544  |  stackful_begin   |
//    +536  |  CR               |                     |                   |
//    +528  |  back chain       |               +528  |  0                |   ends the back chain
//          +-------------------+                     +-------------------+
//    +512  |  FPSCR            |               +512  |  FPSCR            |
//    +320  |  v20 to v31       |                     |   read, but       |
//    +176  |  f14 to f31       |                     |   of no meaning   |
//     +32  |  r14 to r31       |                +32  |  entry            |
//      +0  |  +528             | <- Context      +0  |  +528             | <- Context
//          +-------------------+                     +-------------------+
//
// A beginning. The first switch "returns" to stackful_begin, which makes stackful_root the return address and jumps to
// entry. The argument is in r3 already. While an execution runs, its stack is an ordinary one, whose outermost frame is
// that of its entry function, which stackful_root has seemingly called. Nothing of stackful_root ever runs. Above it
// there is one more frame header, where entry saves LR, and whose back chain is 0. Debuggers, and the backtrace() of
// this processor's C library, follow the back chain, and end there.
//
// Calls through a pointer have the address of the called function in r12, from which it finds its r2.
//
// Predicting the return. As in aarch64.S. The processor takes `blr` for a return, and `bctr` for none.
//
// The control bits are saved each time, but written only if they differ. The other bits of FPSCR, the exceptions that
// have occurred, belong to the thread. VRSAVE has no meaning on Linux.
//
// What an unwinder needs. For each instruction, the call-frame information of stackful_switch says where the registers
// of the caller are. It does not change where the stack pointer is exchanged, because both stacks look the same there.
// So a debugger that is given r1 = Context::stack_pointer and pc = stackful_suspended shows the frames of a suspended
// execution. The return address of stackful_root is marked undefined: there the stack ends, and an unwinder stops.
// Unwinders look a return address up one byte before it, in the `bl`, so stackful_begin and stackful_root start with a
// `nop` in its place.
//
// Protection. This ABI has no marks for the targets of jumps. POWER10's hashed return addresses concern only functions
// that are compiled for them: they hash the stack pointer, which is the same when they are resumed.

        .machine power8
        .abiversion 2
        .text

        // Calls a macro with the kind and number of each preserved register, its number in call-frame information, and
        // its place.
        .macro  each_register do
        .irp    n, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        \do     r, \n, \n, 32 + 8 * (\n - 14)
        .endr
        .irp    n, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        \do     f, \n, 32 + \n, 176 + 8 * (\n - 14)
        .endr
        .irp    n, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        \do     v, \n, 77 + \n, 320 + 16 * (\n - 20)
        .endr
        .endm

        .macro  save kind, number, column, place
        .ifc \kind, r
        std     \number, \place(1)
        .endif
        .ifc \kind, f
        stfd    \number, \place(1)
        .endif
        .ifc \kind, v
        li      0, \place
        stvx    \number, 1, 0
        .endif
        .cfi_rel_offset \column, \place
        .endm

        .macro  load kind, number, column, place
        .ifc \kind, r
        ld      \number, \place(1)
        .endif
        .ifc \kind, f
        lfd     \number, \place(1)
        .endif
        .ifc \kind, v
        li      0, \place
        lvx     \number, 1, 0
        .endif
        .endm

        .macro  forget kind, number, column, place
        .cfi_restore \column
        .endm

        // Where the register of an execution that is suspended at r31 is.
        .macro  saved_beside kind, number, column, place
        .cfi_offset \column, \place - 528
        .endm

        // Stores the registers of the execution that leaves. After that r14 to r31 are free, and f14 is its FPSCR.
        .macro  save_registers
        mflr    0
        std     0, 16(1)
        .cfi_offset lr, 16
        mfcr    0
        stw     0, 8(1)
        .cfi_offset cr2, 8
        .cfi_offset cr3, 8
        .cfi_offset cr4, 8
        stdu    1, -528(1)
        .cfi_adjust_cfa_offset 528
        each_register save
        mffs    14
        stfd    14, 512(1)
        .endm

        // Loads those of the execution that resumes.
        .macro  load_registers
        mfvsrd  14, 14
        ld      15, 512(1)
        xor     14, 14, 15
        rldicl  15, 14, 0, 56                   // the binary rounding mode and the masks
        rldicl  14, 14, 32, 61                  // the decimal rounding mode
        or.     14, 14, 15
        bne     2f
1:      each_register load
        .cfi_remember_state
        addi    1, 1, 528
        .cfi_adjust_cfa_offset -528
        each_register forget
        ld      0, 16(1)
        mtlr    0
        .cfi_restore lr
        lwz     0, 8(1)
        mtcrf   0x38, 0
        .cfi_restore cr2
        .cfi_restore cr3
        .cfi_restore cr4
        .endm

        // Out of line, where the control bits differ. `1` is in load_registers.
        .macro  load_control_bits
        .cfi_restore_state
2:      lfd     14, 512(1)
        mtfsf   3, 14
        mtfsf   1, 14, 0, 1
        b       1b
        .endm

        .macro  begin_function name
        .globl  \name
        .hidden \name
        .type   \name, @function
        .p2align 4
\name:
        .cfi_startproc
        .endm

        .macro  end_function name
        .cfi_endproc
        .size   \name, . - \name
        .endm

// void* stackful_switch(Context* from, Context to, void* transfer)
//                       r3             r4          r5
        begin_function stackful_switch
        save_registers
        std     1, 0(3)
        mr      1, 4                            // from here on we are on the other stack

        .globl  stackful_suspended
        .hidden stackful_suspended
stackful_suspended:
        mr      3, 5                            // the result of stackful_switch, or the argument of an entry function
        load_registers
        blr
        load_control_bits
        end_function stackful_switch

// Does not touch the registers that hold the arguments of `arrival`.
//
// void* stackful_switch_arriving(void* x, void* y, void* transfer, Context* from, Context to, Arrival arrival)
//                                r3       r4       r5              r6             r7          r8
        begin_function stackful_switch_arriving
        save_registers
        std     1, 0(6)
        mr      1, 7                            // from here on we are on the other stack
        load_registers
        mr      12, 8
        mtctr   12
        bctr                                    // to what returns to the other execution
        load_control_bits
        end_function stackful_switch_arriving

// void* stackful_make_context(void* stack_base, EntryPoint entry)
//                             r3                r4
        begin_function stackful_make_context
        mflr    0
        .cfi_register lr, 0
        bcl     20, 31, .Lhere
.Lhere: mflr    5
        mtlr    0
        .cfi_restore lr
        addi    5, 5, .Lbegin - .Lhere
        li      0, 0
        stdu    0, -32(3)                       // the header for entry
        std     5, 16(3)
        mr      5, 3
        stdu    5, -528(3)
        std     4, 32(3)
        mffs    0
        stfd    0, 512(3)
        blr
        end_function stackful_make_context

// A call on another stack, below the frames of the execution that is suspended there. r31 remembers the place on our
// own stack, and says where our frames are, whatever the stack pointer is. The back chain leads there too:
//
//          our stack                               the other stack
//     |  frames of the    |                     |  frames of the    |
//     |     caller        |                     |    suspended one  |
//     +-------------------+                     |   and its saved   |
//     |  r31              |                     |     registers     |
//     |  frame header     |                     +-------------------+ <- stack_pointer
//     |  r31              |                     |  frame header     |
//     |  frame header     | <- r31              |  frames of        |
//     +-------------------+                     |     function      | <- r1
//
// x86_64.S says why there are two frames, and why the one that calls the function claims to be a signal handler's.
// An unwinder takes the instruction after a call, if it loads r2, for a sign that r2 is saved in the frame header.

        .macro  push_frame register
        mflr    0
        std     0, 16(1)
        .cfi_offset lr, 16
        std     \register, -16(1)
        .cfi_offset \register, -16
        stdu    1, -48(1)
        .cfi_adjust_cfa_offset 48
        .endm

        .macro  pop_frame register
        addi    1, 1, 48
        .cfi_def_cfa 1, 0
        ld      \register, -16(1)
        .cfi_restore \register
        ld      0, 16(1)
        mtlr    0
        .cfi_restore lr
        .endm

// void* stackful_call_on(void* stack_pointer, Function function, void* argument)
//                        r3                   r4                 r5
        begin_function stackful_call_on
        push_frame 31
        mr      31, 1
        .cfi_def_cfa_register 31
        bl      stackful_go_below
        pop_frame 31
        blr
        end_function stackful_call_on

        .type   stackful_go_below, @function
        .p2align 4
stackful_go_below:
        .cfi_startproc
        .cfi_signal_frame
        push_frame 31
        mr      31, 1
        .cfi_def_cfa_register 31
        stdu    1, -32(3)
        mr      1, 3
        std     2, 24(1)
        mr      12, 4
        mtctr   12
        mr      3, 5
        bctrl
        ld      2, 24(1)
        mr      1, 31
        pop_frame 31
        blr
        end_function stackful_go_below

// Calls the function on the caller's own stack. To an unwinder it looks as if a suspended execution had made the call:
// the call-frame information says where the registers of that execution are saved, and the back chain leads there.
//
// void* stackful_call_beside(void* stack_pointer, Function function, void* argument)
//                            r3                   r4                 r5
        begin_function stackful_call_beside
        push_frame 31
        mr      31, 3
        ld      0, 0(31)
        std     0, 0(1)
        std     2, 24(1)
        mr      12, 4
        mtctr   12
        mr      3, 5
        .cfi_remember_state
        .cfi_def_cfa 31, 528
        each_register saved_beside
        .cfi_offset cr2, 8
        .cfi_offset cr3, 8
        .cfi_offset cr4, 8
        bctrl
        ld      2, 24(1)
        .cfi_restore_state
        pop_frame 31
        blr
        end_function stackful_call_beside

// Nothing calls these two. They are return addresses.
        .type   stackful_begin, @function
        .p2align 4
        .cfi_startproc
        .cfi_undefined lr
stackful_begin:
        nop
.Lbegin:
        mflr    11                              // .Lbegin
        addi    11, 11, .Lroot - .Lbegin
        mtlr    11
        mr      12, 14
        mtctr   12
        bctr
        end_function stackful_begin

        .type   stackful_root, @function
        .cfi_startproc
        .cfi_undefined lr
stackful_root:
        nop
.Lroot:
        trap
        end_function stackful_root

        .section .note.GNU-stack, "", @progbits
