// The context switch for 64-bit RISC-V under the lp64d ABI (Linux).
//
// What a switch has to save. It is called like any function, so the compiler has already saved what it still needs in
// the registers that a called function may change. What is left are the registers that a called function must preserve:
// s0 (the frame pointer) to s11, fs0 to fs11, the stack pointer, and the rounding mode. The return address is in ra. gp
// and tp are the same for all executions of a thread. A switch stores the registers on the stack of the execution that
// leaves, exchanges the stack pointer, and loads everything from the other stack.
//
// On the left a suspended execution, on the right one that make_context has made and that was never resumed:
//
//          |  frames of the    |
//          |     caller        |
//          +-------------------+                     +-------------------+ <- stack_base
//    +200  |  ra               |               +200  |  stackful_begin   |
//    +192  |  s0               |               +192  |  0                |   ends a chain of frame pointers
//    +184  |  s1               |               +184  |  entry            |
//    +104  |  s2 to s11        |                     |   read, but       |
//      +8  |  fs0 to fs11      |                 +8  |   of no meaning   |
//      +0  |  rounding mode    | <- Context      +0  |  rounding mode    | <- Context
//          +-------------------+                     +-------------------+
//
// ra and s0 are where functions that keep a frame pointer have them.
//
// A beginning. The first switch "returns" to stackful_begin, which makes stackful_root the return address and jumps to
// entry. The argument is in a0 already. While an execution runs, its stack is an ordinary one, whose outermost frame is
// that of its entry function, which stackful_root has seemingly called. Nothing of stackful_root ever runs.
//
// Predicting the return. As in aarch64.S. The processor takes `jr ra` for a return, and a jump through t2 for none.
//
// The rounding mode is saved each time, but written only if it differs. The other field of fcsr, the exceptions that
// have occurred, belongs to the thread.
//
// What an unwinder needs. For each instruction, the call-frame information of stackful_switch says where the registers
// of the caller are. It does not change where the stack pointer is exchanged, because both stacks look the same there.
// So a debugger that is given sp = Context::stack_pointer and pc = stackful_suspended shows the frames of a suspended
// execution. The return address of stackful_root is marked undefined: there the stack ends, and an unwinder stops.
// Unwinders look a return address up one byte before it, so stackful_begin and stackful_root start with a `nop`.
//
// Protection. Jumps to other functions go through t2, which landing pads (Zicfilp) do not check. But the object file
// does not claim support for them, nor for shadow stacks (Zicfiss), because each stack would need one of its own.

        .text

        // Calls a macro with each preserved register and its place.
        .macro  each_register do
        \do     d, ra, 200
        \do     d, s0, 192
        \do     d, s1, 184
        \do     d, s2, 176
        \do     d, s3, 168
        \do     d, s4, 160
        \do     d, s5, 152
        \do     d, s6, 144
        \do     d, s7, 136
        \do     d, s8, 128
        \do     d, s9, 120
        \do     d, s10, 112
        \do     d, s11, 104
        \do     fd, fs0, 96
        \do     fd, fs1, 88
        \do     fd, fs2, 80
        \do     fd, fs3, 72
        \do     fd, fs4, 64
        \do     fd, fs5, 56
        \do     fd, fs6, 48
        \do     fd, fs7, 40
        \do     fd, fs8, 32
        \do     fd, fs9, 24
        \do     fd, fs10, 16
        \do     fd, fs11, 8
        .endm

        .macro  save width, register, place
        .ifc \width, d
        sd      \register, \place(sp)
        .else
        fsd     \register, \place(sp)
        .endif
        .cfi_rel_offset \register, \place
        .endm

        .macro  load width, register, place
        .ifc \width, d
        ld      \register, \place(sp)
        .else
        fld     \register, \place(sp)
        .endif
        .endm

        .macro  forget width, register, place
        .cfi_restore \register
        .endm

        // Where the register of an execution that is suspended at s1 is.
        .macro  saved_beside width, register, place
        .cfi_offset \register, \place - 208
        .endm

        // Stores the registers of the execution that leaves. t0 becomes its rounding mode.
        .macro  save_registers
        addi    sp, sp, -208
        .cfi_adjust_cfa_offset 208
        each_register save
        frrm    t0
        sd      t0, 0(sp)
        .endm

        // Loads those of the execution that resumes.
        .macro  load_registers
        ld      t1, 0(sp)
        bne     t0, t1, 2f
1:      each_register load
        .cfi_remember_state
        addi    sp, sp, 208
        .cfi_adjust_cfa_offset -208
        each_register forget
        .endm

        // Out of line, where the rounding modes differ. `1` is in load_registers.
        .macro  load_rounding_mode
        .cfi_restore_state
2:      fsrm    t1
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
//                       a0             a1          a2
        begin_function stackful_switch
        save_registers
        sd      sp, 0(a0)
        mv      sp, a1                          // from here on we are on the other stack

        .globl  stackful_suspended
        .hidden stackful_suspended
stackful_suspended:
        mv      a0, a2                          // the result of stackful_switch, or the argument of an entry function
        load_registers
        ret
        load_rounding_mode
        end_function stackful_switch

// Does not touch the registers that hold the arguments of `arrival`.
//
// void* stackful_switch_arriving(void* x, void* y, void* transfer, Context* from, Context to, Arrival arrival)
//                                a0       a1       a2              a3             a4          a5
        begin_function stackful_switch_arriving
        save_registers
        sd      sp, 0(a3)
        mv      sp, a4                          // from here on we are on the other stack
        mv      t2, a5
        load_registers
        jr      t2                              // to what returns to the other execution
        load_rounding_mode
        end_function stackful_switch_arriving

// void* stackful_make_context(void* stack_base, EntryPoint entry)
//                             a0                a1
        begin_function stackful_make_context
        addi    a0, a0, -208
        lla     t1, .Lbegin
        frrm    t0
        sd      t1, 200(a0)
        sd      zero, 192(a0)
        sd      a1, 184(a0)
        sd      t0, 0(a0)
        ret
        end_function stackful_make_context

// A call on another stack, below the frames of the execution that is suspended there. The frame pointer remembers the
// place on our own stack, and says where our frames are, whatever the stack pointer is:
//
//          our stack                               the other stack
//     |  frames of the    |                     |  frames of the    |
//     |     caller        |                     |    suspended one  |
//     +-------------------+                     |   and its saved   |
//     |  ra, s0           |                     |     registers     |
//     +-------------------+ <- s0               +-------------------+ <- stack_pointer
//     |  ra, s0           |                     |  frames of        |
//     +-------------------+                     |     function      | <- sp
//
// x86_64.S says why there are two frames, and why the one that calls the function claims to be a signal handler's.

        .macro  push_frame
        addi    sp, sp, -16
        .cfi_adjust_cfa_offset 16
        sd      ra, 8(sp)
        .cfi_rel_offset ra, 8
        sd      s0, 0(sp)
        .cfi_rel_offset s0, 0
        addi    s0, sp, 16
        .cfi_def_cfa s0, 0
        .endm

        .macro  pop_frame
        addi    sp, s0, -16
        .cfi_def_cfa sp, 16
        ld      ra, 8(sp)
        .cfi_restore ra
        ld      s0, 0(sp)
        .cfi_restore s0
        addi    sp, sp, 16
        .cfi_def_cfa sp, 0
        .endm

// void* stackful_call_on(void* stack_pointer, Function function, void* argument)
//                        a0                   a1                 a2
        begin_function stackful_call_on
        push_frame
        jal     stackful_go_below
        pop_frame
        ret
        end_function stackful_call_on

        .type   stackful_go_below, @function
        .p2align 4
stackful_go_below:
        .cfi_startproc
        .cfi_signal_frame
        push_frame
        mv      sp, a0
        mv      a0, a2
        mv      t2, a1
        jalr    t2
        pop_frame
        ret
        end_function stackful_go_below

// Calls the function on the caller's own stack. To an unwinder it looks as if a suspended execution had made the call:
// the call-frame information says where the registers of that execution are saved.
//
// void* stackful_call_beside(void* stack_pointer, Function function, void* argument)
//                            a0                   a1                 a2
        begin_function stackful_call_beside
        addi    sp, sp, -16
        .cfi_adjust_cfa_offset 16
        sd      ra, 8(sp)
        .cfi_rel_offset ra, 8
        sd      s1, 0(sp)
        .cfi_rel_offset s1, 0
        mv      s1, a0
        mv      a0, a2
        mv      t2, a1
        .cfi_remember_state
        .cfi_def_cfa s1, 208
        each_register saved_beside
        jalr    t2
        .cfi_restore_state
        ld      ra, 8(sp)
        .cfi_restore ra
        ld      s1, 0(sp)
        .cfi_restore s1
        addi    sp, sp, 16
        .cfi_def_cfa sp, 0
        ret
        end_function stackful_call_beside

// Nothing calls these two. They are return addresses.
        .type   stackful_begin, @function
        .p2align 4
        .cfi_startproc
        .cfi_undefined ra
stackful_begin:
        nop
.Lbegin:
        mv      t2, s1
        lla     ra, .Lroot
        jr      t2
        end_function stackful_begin

        .type   stackful_root, @function
        .cfi_startproc
        .cfi_undefined ra
stackful_root:
        nop
.Lroot:
        ebreak
        end_function stackful_root

        .section .note.GNU-stack, "", @progbits
