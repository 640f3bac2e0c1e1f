// The context switch for 64-bit LoongArch under the lp64d ABI (Linux).
//
// What a switch has to save. It is called like any function, so the compiler has already saved what it still needs in
// the registers that a called function may change. What is left are the registers that a called function must preserve:
// fp (r22), s0 to s8 (r23 to r31), f24 to f31, the stack pointer, and the control bits of fcsr0 (rounding mode,
// exception masks). The return address is in ra (r1). A switch stores them on the stack of the execution that leaves,
// exchanges the stack pointer, and loads everything from the other stack.
//
// On the left a suspended execution, on the right one that make_context has made and that was never resumed:
//
//          |  frames of the    |
//          |     caller        |
//          +-------------------+                     +-------------------+ <- stack_base
//    +152  |  ra               |               +152  |  stackful_begin   |
//    +144  |  fp               |               +144  |  0                |   ends a chain of frame pointers
//    +136  |  s0               |               +136  |  entry            |
//     +72  |  s1 to s8         |                     |   read, but       |
//      +8  |  f24 to f31       |                 +8  |   of no meaning   |
//      +0  |  fcsr0            | <- Context      +0  |  fcsr0            | <- Context
//          +-------------------+                     +-------------------+
//
// A beginning. The first switch "returns" to stackful_begin, which makes stackful_root the return address and jumps to
// entry. The argument is in a0 already. While an execution runs, its stack is an ordinary one, whose outermost frame is
// that of its entry function, which stackful_root has seemingly called. Nothing of stackful_root ever runs.
//
// Predicting the return. As in aarch64.S. The processor takes `jr $ra` for a return, and a jump through t2 for none.
//
// The control bits are saved each time, but written only if they differ. The other bits of fcsr0, the exceptions that
// have occurred, belong to the thread.
//
// What an unwinder needs. For each instruction, the call-frame information of stackful_switch says where the registers
// of the caller are. It does not change where the stack pointer is exchanged, because both stacks look the same there.
// So a debugger that is given sp = Context::stack_pointer and pc = stackful_suspended shows the frames of a suspended
// execution. The return address of stackful_root is marked undefined: there the stack ends, and an unwinder stops.
// Unwinders look a return address up one byte before it, so stackful_begin and stackful_root start with a `nop`.
//
// Protection. This ABI has no marks for the targets of jumps, and the processor has no shadow stack.

        .text

        // Calls a macro with each preserved register and its place.
        .macro  each_register do
        \do     d, $r1, 152
        \do     d, $r22, 144
        \do     d, $r23, 136
        \do     d, $r24, 128
        \do     d, $r25, 120
        \do     d, $r26, 112
        \do     d, $r27, 104
        \do     d, $r28, 96
        \do     d, $r29, 88
        \do     d, $r30, 80
        \do     d, $r31, 72
        \do     fd, $f24, 64
        \do     fd, $f25, 56
        \do     fd, $f26, 48
        \do     fd, $f27, 40
        \do     fd, $f28, 32
        \do     fd, $f29, 24
        \do     fd, $f30, 16
        \do     fd, $f31, 8
        .endm

        .macro  save width, register, place
        .ifc \width, d
        st.d    \register, $sp, \place
        .else
        fst.d   \register, $sp, \place
        .endif
        .cfi_rel_offset \register, \place
        .endm

        .macro  load width, register, place
        .ifc \width, d
        ld.d    \register, $sp, \place
        .else
        fld.d   \register, $sp, \place
        .endif
        .endm

        .macro  forget width, register, place
        .cfi_restore \register
        .endm

        // Where the register of an execution that is suspended at s0 is.
        .macro  saved_beside width, register, place
        .cfi_offset \register, \place - 160
        .endm

        // Stores the registers of the execution that leaves. t0 becomes its control bits.
        .macro  save_registers
        addi.d  $sp, $sp, -160
        .cfi_adjust_cfa_offset 160
        each_register save
        control_bits
        st.d    $t0, $sp, 0
        .endm

        // Loads those of the execution that resumes.
        .macro  load_registers
        ld.d    $t1, $sp, 0
        bne     $t0, $t1, 2f
1:      each_register load
        .cfi_remember_state
        addi.d  $sp, $sp, 160
        .cfi_adjust_cfa_offset -160
        each_register forget
        .endm

        // Out of line, where the control bits differ. `1` is in load_registers.
        .macro  load_control_bits
        .cfi_restore_state
2:      movfcsr2gr $t3, $fcsr0
        xor     $t3, $t3, $t0
        or      $t3, $t3, $t1
        movgr2fcsr $fcsr0, $t3
        b       1b
        .endm

        .macro  control_bits
        movfcsr2gr $t0, $fcsr0
        andi    $t0, $t0, 0x31f
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
//                       a0             a1          a2
        begin_function stackful_switch
        save_registers
        st.d    $sp, $a0, 0
        move    $sp, $a1                        // from here on we are on the other stack

        .globl  stackful_suspended
        .hidden stackful_suspended
stackful_suspended:
        move    $a0, $a2                        // the result of stackful_switch, or the argument of an entry function
        load_registers
        jr      $ra
        load_control_bits
        end_function stackful_switch

// Does not touch the registers that hold the arguments of `arrival`.
//
// void* stackful_switch_arriving(void* x, void* y, void* transfer, Context* from, Context to, Arrival arrival)
//                                a0       a1       a2              a3             a4          a5
        begin_function stackful_switch_arriving
        save_registers
        st.d    $sp, $a3, 0
        move    $sp, $a4                        // from here on we are on the other stack
        move    $t2, $a5
        load_registers
        jr      $t2                             // to what returns to the other execution
        load_control_bits
        end_function stackful_switch_arriving

// void* stackful_make_context(void* stack_base, EntryPoint entry)
//                             a0                a1
        begin_function stackful_make_context
        addi.d  $a0, $a0, -160
        la.local $t1, .Lbegin
        control_bits
        st.d    $t1, $a0, 152
        st.d    $zero, $a0, 144
        st.d    $a1, $a0, 136
        st.d    $t0, $a0, 0
        jr      $ra
        end_function stackful_make_context

// A call on another stack, below the frames of the execution that is suspended there. The frame pointer remembers the
// place on our own stack, and says where our frames are, whatever the stack pointer is:
//
//          our stack                               the other stack
//     |  frames of the    |                     |  frames of the    |
//     |     caller        |                     |    suspended one  |
//     +-------------------+                     |   and its saved   |
//     |  ra, fp           |                     |     registers     |
//     +-------------------+ <- fp               +-------------------+ <- stack_pointer
//     |  ra, fp           |                     |  frames of        |
//     +-------------------+                     |     function      | <- sp
//
// x86_64.S says why there are two frames, and why the one that calls the function claims to be a signal handler's.

        .macro  push_frame
        addi.d  $sp, $sp, -16
        .cfi_adjust_cfa_offset 16
        st.d    $ra, $sp, 8
        .cfi_rel_offset 1, 8
        st.d    $fp, $sp, 0
        .cfi_rel_offset 22, 0
        addi.d  $fp, $sp, 16
        .cfi_def_cfa 22, 0
        .endm

        .macro  pop_frame
        addi.d  $sp, $fp, -16
        .cfi_def_cfa 3, 16
        ld.d    $ra, $sp, 8
        .cfi_restore 1
        ld.d    $fp, $sp, 0
        .cfi_restore 22
        addi.d  $sp, $sp, 16
        .cfi_def_cfa 3, 0
        .endm

// void* stackful_call_on(void* stack_pointer, Function function, void* argument)
//                        a0                   a1                 a2
        begin_function stackful_call_on
        push_frame
        bl      stackful_go_below
        pop_frame
        jr      $ra
        end_function stackful_call_on

        .type   stackful_go_below, @function
        .p2align 4
stackful_go_below:
        .cfi_startproc
        .cfi_signal_frame
        push_frame
        move    $sp, $a0
        move    $a0, $a2
        move    $t2, $a1
        jirl    $ra, $t2, 0
        pop_frame
        jr      $ra
        end_function stackful_go_below

// Calls the function on the caller's own stack. To an unwinder it looks as if a suspended execution had made the call:
// the call-frame information says where the registers of that execution are saved.
//
// void* stackful_call_beside(void* stack_pointer, Function function, void* argument)
//                            a0                   a1                 a2
        begin_function stackful_call_beside
        addi.d  $sp, $sp, -16
        .cfi_adjust_cfa_offset 16
        st.d    $ra, $sp, 8
        .cfi_rel_offset 1, 8
        st.d    $s0, $sp, 0
        .cfi_rel_offset 23, 0
        move    $s0, $a0
        move    $a0, $a2
        move    $t2, $a1
        .cfi_remember_state
        .cfi_def_cfa 23, 160
        each_register saved_beside
        jirl    $ra, $t2, 0
        .cfi_restore_state
        ld.d    $ra, $sp, 8
        .cfi_restore 1
        ld.d    $s0, $sp, 0
        .cfi_restore 23
        addi.d  $sp, $sp, 16
        .cfi_def_cfa 3, 0
        jr      $ra
        end_function stackful_call_beside

// Nothing calls these two. They are return addresses.
        .type   stackful_begin, @function
        .p2align 4
        .cfi_startproc
        .cfi_undefined 1
stackful_begin:
        nop
.Lbegin:
        move    $t2, $s0
        la.local $ra, .Lroot
        jr      $t2
        end_function stackful_begin

        .type   stackful_root, @function
        .cfi_startproc
        .cfi_undefined 1
stackful_root:
        nop
.Lroot:
        break   0
        end_function stackful_root

        .section .note.GNU-stack, "", @progbits
