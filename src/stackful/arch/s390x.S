// The context switch for s390x, 64-bit IBM Z (Linux).
//
// What a switch has to save. It is called like any function, so the compiler has already saved what it still needs in
// the registers that a called function may change. What is left are the registers that a called function must preserve:
// r6 to r13, f8 to f15, the stack pointer r15, and the control bits of FPC (rounding modes, exception masks). The
// return address is in r14. A switch stores them on the stack of the execution that leaves, exchanges the stack
// pointer, and loads everything from the other stack.
//
// Each frame ends with 160 bytes in which a *called* function saves r6 to r15. On the left a suspended execution, on
// the right one that make_context has made and that was never resumed:
//
//          |  frames of the    |                     +-------------------+ <- stack_base
//          |     caller        |                     |                   |
//    +200  |  r15              |               +200  |  +80              |
//    +192  |  r14              |               +192  |  stackful_begin   |
//    +136  |  r7 to r13        |                     |                   |
//    +128  |  r6               |               +128  |  entry            |
//     +80  |  -                |                +80  |  0                |   ends a back chain
//          +-------------------+                     +-------------------+
//      +8  |  f8 to f15        |                     |                   |
//      +0  |  FPC              | <- Context      +0  |  FPC              | <- Context
//          +-------------------+                     +-------------------+
//
// A beginning. The first switch "returns" to stackful_begin, which makes stackful_root the return address and jumps to
// entry. The argument is in r2 already. While an execution runs, its stack is an ordinary one, whose outermost frame is
// that of its entry function, which stackful_root has seemingly called. Nothing of stackful_root ever runs. r11, which
// some functions use as a frame pointer, starts as 0.
//
// Predicting the return. As in aarch64.S, as far as the processor predicts returns from calls.
//
// The control bits are saved each time, but written only if they differ, because a write is slow. The other bits of
// FPC, the exceptions that have occurred, belong to the thread.
//
// What an unwinder needs. For each instruction, the call-frame information of stackful_switch says where the registers
// of the caller are. It does not change where the stack pointer is exchanged, because both stacks look the same there.
// So a debugger that is given r15 = Context::stack_pointer and pc = stackful_suspended shows the frames of a suspended
// execution. The return address of stackful_root is marked undefined: there the stack ends, and an unwinder stops.
// Unwinders look a return address up one byte before it, in the call, so stackful_begin and stackful_root start with a
// `nopr` in its place.
//
// Protection. This ABI has no marks for the targets of jumps, and the processor has no shadow stack.

        .text

        // Marks r6 to r15 as saved where the caller has a place for them.
        .macro  saved_by_caller
        .cfi_offset %r6, -112
        .cfi_offset %r7, -104
        .cfi_offset %r8, -96
        .cfi_offset %r9, -88
        .cfi_offset %r10, -80
        .cfi_offset %r11, -72
        .cfi_offset %r12, -64
        .cfi_offset %r13, -56
        .cfi_offset %r14, -48
        .cfi_offset %r15, -40
        .endm

        .macro  restored_by_caller
        .cfi_restore %r6
        .cfi_restore %r7
        .cfi_restore %r8
        .cfi_restore %r9
        .cfi_restore %r10
        .cfi_restore %r11
        .cfi_restore %r12
        .cfi_restore %r13
        .cfi_restore %r14
        .cfi_restore %r15
        .endm

        // Calls a macro with the number of each preserved floating-point register, and its place.
        .macro  each_register do
        \do     8, 8
        \do     9, 16
        \do     10, 24
        \do     11, 32
        \do     12, 40
        \do     13, 48
        \do     14, 56
        \do     15, 64
        .endm

        .macro  save number, place
        std     %f\number, \place(%r15)
        .cfi_rel_offset %f\number, \place
        .endm

        .macro  load number, place
        ld      %f\number, \place(%r15)
        .endm

        .macro  forget number, place
        .cfi_restore %f\number
        .endm

        // Where the register of a suspended execution is.
        .macro  saved_beside number, place
        .cfi_offset %f\number, \place - 80 - 160
        .endm

        // Stores the registers of the execution that leaves. After that r6 to r13 are free, except that r6 is still the
        // fifth argument. r7 becomes its control bits.
        .macro  save_registers
        stmg    %r6, %r15, 48(%r15)
        saved_by_caller
        aghi    %r15, -80
        .cfi_adjust_cfa_offset 80
        each_register save
        efpc    %r7
        nilf    %r7, 0xff0000ff
        st      %r7, 0(%r15)
        .endm

        // Loads those of the execution that resumes.
        .macro  load_registers
        l       %r8, 0(%r15)
        cr      %r7, %r8
        jne     2f
1:      each_register load
        .cfi_remember_state
        lmg     %r6, %r15, 80+48(%r15)
        .cfi_adjust_cfa_offset -80
        restored_by_caller
        each_register forget
        .endm

        // Out of line, where the control bits differ. `1` is in load_registers.
        .macro  load_control_bits
        .cfi_restore_state
2:      efpc    %r9
        xr      %r9, %r7
        or      %r9, %r8
        sfpc    %r9
        j       1b
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
//                       r2             r3          r4
        begin_function stackful_switch
        save_registers
        stg     %r15, 0(%r2)
        lgr     %r15, %r3                       // from here on we are on the other stack

        .globl  stackful_suspended
        .hidden stackful_suspended
stackful_suspended:
        lgr     %r2, %r4                        // the result of stackful_switch, or the argument of an entry function
        load_registers
        br      %r14
        load_control_bits
        end_function stackful_switch

// Does not touch the registers that hold the arguments of `arrival`.
//
// void* stackful_switch_arriving(void* x, void* y, void* transfer, Context* from, Context to, Arrival arrival)
//                                r2       r3       r4              r5             r6          r15 + 160
        begin_function stackful_switch_arriving
        save_registers
        lg      %r1, 80+160(%r15)
        stg     %r15, 0(%r5)
        lgr     %r15, %r6                       // from here on we are on the other stack
        load_registers
        br      %r1                             // to what returns to the other execution
        load_control_bits
        end_function stackful_switch_arriving

// void* stackful_make_context(void* stack_base, EntryPoint entry)
//                             r2                r3
        begin_function stackful_make_context
        efpc    %r0
        nilf    %r0, 0xff0000ff
        larl    %r1, .Lbegin
        aghi    %r2, -160
        stg     %r2, 48+72(%r2)                 // r15
        stg     %r1, 48+64(%r2)                 // r14
        lghi    %r1, 0
        stg     %r1, 48+40(%r2)                 // r11
        stg     %r3, 48(%r2)                    // r6
        stg     %r1, 0(%r2)
        aghi    %r2, -80
        st      %r0, 0(%r2)
        br      %r14
        end_function stackful_make_context

// A call on another stack, below the frames of the execution that is suspended there. r11 remembers the place on our
// own stack, and says where our frames are, whatever the stack pointer is:
//
//          our stack                               the other stack
//     |  frames of the    |                     |  frames of the    |
//     |     caller, with  |                     |    suspended one  |
//     |     r11 to r15    |                     |   and its saved   |
//     +-------------------+                     |     registers     |
//     |  r11 to r15       |                     +-------------------+ <- stack_pointer
//     +-------------------+ <- r11              |  160 bytes        |
//                                               |  frames of        |
//                                               |     function      | <- r15
//
// x86_64.S says why there are two frames, and why the one that calls the function claims to be a signal handler's.

        .macro  push_frame
        stmg    %r11, %r15, 88(%r15)
        .cfi_offset %r11, -72
        .cfi_offset %r12, -64
        .cfi_offset %r13, -56
        .cfi_offset %r14, -48
        .cfi_offset %r15, -40
        aghi    %r15, -160
        .cfi_adjust_cfa_offset 160
        .endm

        .macro  pop_frame register
        lmg     %r11, %r15, 160+88(\register)
        .cfi_def_cfa %r15, 160
        .cfi_restore %r11
        .cfi_restore %r12
        .cfi_restore %r13
        .cfi_restore %r14
        .cfi_restore %r15
        .endm

// void* stackful_call_on(void* stack_pointer, Function function, void* argument)
//                        r2                   r3                 r4
        begin_function stackful_call_on
        push_frame
        lgr     %r11, %r15
        .cfi_def_cfa_register %r11
        brasl   %r14, stackful_go_below
        pop_frame %r11
        br      %r14
        end_function stackful_call_on

        .type   stackful_go_below, @function
        .p2align 4
stackful_go_below:
        .cfi_startproc
        .cfi_signal_frame
        push_frame
        lgr     %r11, %r15
        .cfi_def_cfa_register %r11
        aghi    %r2, -160
        lgr     %r15, %r2
        lgr     %r2, %r4
        basr    %r14, %r3
        pop_frame %r11
        br      %r14
        end_function stackful_go_below

// Calls the function on the caller's own stack. To an unwinder it looks as if a suspended execution had made the call:
// the call-frame information says where the registers of that execution are saved.
//
// void* stackful_call_beside(void* stack_pointer, Function function, void* argument)
//                            r2                   r3                 r4
        begin_function stackful_call_beside
        push_frame
        lgr     %r11, %r2
        lgr     %r2, %r4
        .cfi_remember_state
        .cfi_def_cfa %r11, 80+160
        saved_by_caller
        each_register saved_beside
        basr    %r14, %r3
        .cfi_restore_state
        pop_frame %r15
        br      %r14
        end_function stackful_call_beside

// Nothing calls these two. They are return addresses.
        .type   stackful_begin, @function
        .p2align 4
        .cfi_startproc
        .cfi_undefined %r14
stackful_begin:
        nopr
.Lbegin:
        larl    %r14, .Lroot
        br      %r6
        end_function stackful_begin

        .type   stackful_root, @function
        .cfi_startproc
        .cfi_undefined %r14
stackful_root:
        nopr
.Lroot:
        .word   0                               // an invalid instruction
        end_function stackful_root

        .section .note.GNU-stack, "", @progbits
