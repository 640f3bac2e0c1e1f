// The context switch for x86-64 under the System V ABI (Linux and the other Unix systems).
//
// What a switch has to save. It is called like any function, so the compiler has already saved what it still needs in
// the registers that a called function may change. What is left are the registers that a called function must preserve:
// rbx, rbp, r12 to r15, the stack pointer, and the control words of the two floating-point units (rounding mode,
// exception masks: MXCSR for SSE, the control word for the x87). A switch pushes them on the stack of the execution
// that leaves, exchanges the stack pointer, and pops everything from the other stack.
//
// On the left a suspended execution, on the right one that make_context has made and that was never resumed:
//
//          |  frames of the    |
//          |     caller        |                     +-------------------+ <- stack_base
//          +-------------------+                +80  | stackful_root     |   where entry would return to
//     +56  |  return address   |                +72  | entry             |
//     +48  |  rbp              |                +64  | stackful_begin    |
//     +40  |  rbx              |                +56  | stackful_begin    |   where the first switch "returns" to
//     +32  |  r12              |                +48  | 0                 |   rbp: ends a chain of frame pointers
//     +24  |  r13              |                     |   read, but       |
//     +16  |  r14              |                     |   of no meaning   |
//     +8   |  r15              |                 +8  |                   |
//     +0   |  MXCSR | x87 |    | <- Context      +0  |  MXCSR | x87 |    | <- Context
//          +-------------------+                     +-------------------+
//
// While an execution runs, its stack is an ordinary one, whose outermost frame is that of its entry function, which
// stackful_root has seemingly called. Nothing of stackful_root ever runs: it only provides a return address.
//
// Predicting the return. The processor keeps a stack of its own with the return addresses of the `call`s it has seen,
// and predicts each `ret` from it. There are two cases:
//
//   - The same `call` instruction suspended both executions. This is usual, if a program switches in one place. Then
//     the top of the predictor's stack is right although we return on another stack. `ret` keeps that stack in step
//     with ours, one `call` for one `ret`, so the returns of the callers are predicted too, as far as they are the same
//     on both stacks. (Other implementations pop the address and jump. That leaves one address too many on the
//     predictor's stack, and each return after it is predicted wrong.)
//   - Two `call` instructions did. Then `ret` is certainly predicted wrong. An indirect jump has a chance.
//
// So we compare the two return addresses. Measured on an AMD EPYC (Zen 5) at 4.1 GHz, ns one way, median of 7 runs:
//
//                                                             compare    always ret   always jump
//     both switch in the same place, five calls deep            5.5         5.4          32
//     they switch in two places, no calls around                4.4         10           4.4
//
// A beginning is a third case. When entry finishes, the predictor's stack should look to the resumed execution as it
// did before the beginning, or all of that one's returns are predicted wrong. But the `call` of stackful_switch, and
// the `call` of the function that made it, are returned from on the old stack later. So two of the predictor's entries
// have to be burnt: stackful_begin is a `ret`, and runs twice. Both are predicted wrong, but entry may now call that
// same function to finish, and the entries above are as they were. Start and finish, five calls deep: 37 ns this way,
// 43 to 50 without.
//
// The control words. A called function must preserve them, and a program that changes the rounding mode in one
// execution should not find it changed in another. On the same machine, with both switching in the same place:
//
//     none saved                                               4.9 ns
//     both saved and loaded                                    5.3
//     both saved, loaded if they differ from the saved         6.8
//     both saved, MXCSR loaded, x87 if it differs              5.1 to 5.4      <- this file
//
// Reading back the MXCSR that was just saved is slow here. Loading the x87 word is known to be slow on other
// processors.
//
// What an unwinder needs. For each instruction, the call-frame information of stackful_switch says where the registers
// of the caller are. It does not change where the stack pointer is exchanged, because both stacks look the same there.
// So a debugger that is given sp = Context::stack_pointer and pc = stackful_suspended shows the frames of a suspended
// execution. The return address of stackful_root is marked undefined: there the stack ends, and an unwinder stops.
// Unwinders look a return address up one byte before it, in the `call` instruction, so stackful_begin and stackful_root
// start with a `nop` in its place.
//
// Control-flow enforcement. For indirect branch tracking, the functions begin with endbr64, the jump to a return
// address is marked notrack, and the object file says so. It does not claim support for shadow stacks, because each
// stack would need one of its own. So the system leaves them off for the program.

#include "stackful/arch/mach_o.inc"

        .text

        // Pushes the registers and the control words of the execution that leaves.
        .macro  save_registers
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbp, 0
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r12, 0
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r13, 0
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r14, 0
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r15, 0
        subq    $(8), %rsp
        .cfi_adjust_cfa_offset 8
        stmxcsr (%rsp)
        fnstcw  4(%rsp)
        .endm

        // Pops those of the execution that resumes, but for the control words.
        .macro  load_registers
        movq    8(%rsp), %r15
        movq    16(%rsp), %r14
        movq    24(%rsp), %r13
        movq    32(%rsp), %r12
        movq    40(%rsp), %rbx
        movq    48(%rsp), %rbp
        .cfi_remember_state
        addq    $(56), %rsp
        .cfi_adjust_cfa_offset -56
        .cfi_restore %r15
        .cfi_restore %r14
        .cfi_restore %r13
        .cfi_restore %r12
        .cfi_restore %rbx
        .cfi_restore %rbp
        .endm

        // Out of line, where the x87 control words differ. `1` is the load_registers to go back to.
        .macro  load_x87
        .cfi_restore_state
3:      fldcw   4(%rsp)
        jmp     1b
        .endm

// void* stackful_switch(Context* from, Context to, void* transfer)
//                       rdi            rsi         rdx
        .globl  stackful_switch
        .hidden stackful_switch
        .type   stackful_switch, @function
        .p2align 6
stackful_switch:
        .cfi_startproc
        endbr64
        save_registers
        movzwl  4(%rsp), %ecx                   // our x87 control word
        movq    56(%rsp), %r8                   // our return address
        movq    %rsp, (%rdi)
        movq    %rsi, %rsp                      // from here on we are on the other stack

#if defined(__ELF__)
        .globl  stackful_suspended
        .hidden stackful_suspended
stackful_suspended:
#endif
        movq    56(%rsp), %r9                   // its return address
        movq    %rdx, %rax                      // the result of stackful_switch,
        movq    %rdx, %rdi                      // or the argument of an entry function
        ldmxcsr (%rsp)
        cmpw    4(%rsp), %cx
        jne     3f
1:      load_registers
        cmpq    %r8, %r9
        jne     2f
        ret
2:      addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        .cfi_register %rip, %r9
        notrack jmp *%r9
        load_x87
        .cfi_endproc
        .size   stackful_switch, . - stackful_switch

        // From the stack whose context goes to *rcx to that of context r8. Changes rax, and of the registers that a
        // called function may change no other.
        .macro  change_stacks
        save_registers
        movzwl  4(%rsp), %eax                   // our x87 control word
        movq    %rsp, (%rcx)
        movq    %r8, %rsp                       // from here on we are on the other stack
        ldmxcsr (%rsp)
        cmpw    4(%rsp), %ax
        jne     3f
1:      load_registers
        .endm

// The other two switches do not touch the registers that hold the arguments of `arrival`.
//
// void* stackful_switch_arriving(void* x, void* y, void* transfer, Context* from, Context to, Arrival arrival)
//                                rdi      rsi      rdx             rcx            r8          r9
        .globl  stackful_switch_arriving
        .hidden stackful_switch_arriving
        .type   stackful_switch_arriving, @function
        .p2align 6
stackful_switch_arriving:
        .cfi_startproc
        endbr64
        change_stacks
        jmp     *%r9                            // which returns to the other execution
        load_x87
        .cfi_endproc
        .size   stackful_switch_arriving, . - stackful_switch_arriving

// The parameters are those of stackful_switch_arriving.
        .globl  stackful_switch_arriving_by_jump
        .hidden stackful_switch_arriving_by_jump
        .type   stackful_switch_arriving_by_jump, @function
        .p2align 6
stackful_switch_arriving_by_jump:
        .cfi_startproc
        endbr64
        change_stacks
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        call    *%r9
        movq    8(%rsp), %rcx                   // the other execution's return address
        addq    $16, %rsp
        .cfi_adjust_cfa_offset -16
        .cfi_register %rip, %rcx
        notrack jmp *%rcx
        load_x87
        .cfi_endproc
        .size   stackful_switch_arriving_by_jump, . - stackful_switch_arriving_by_jump

// void* stackful_make_context(void* stack_base, EntryPoint entry)
//                             rdi               rsi
        .globl  stackful_make_context
        .hidden stackful_make_context
        .type   stackful_make_context, @function
        .p2align 4
stackful_make_context:
        .cfi_startproc
        endbr64
        leaq    LOCAL(root)(%rip), %rax
        leaq    LOCAL(begin)(%rip), %rcx
        movq    %rax, -8(%rdi)
        movq    %rsi, -16(%rdi)
        movq    %rcx, -24(%rdi)
        movq    %rcx, -32(%rdi)
        movq    $0, -40(%rdi)
        leaq    -88(%rdi), %rax
        stmxcsr (%rax)
        fnstcw  4(%rax)
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
//     |  return address   |                     |     registers     |
//     |  rbp              | <- rbp              +-------------------+ <- stack_pointer
//     |  return address   |                     |  return address   |
//     +-------------------+                     |  frames of        |
//                                               |     function      | <- rsp
//
// The processor predicts the `ret`s, because each has its `call`.
//
// An unwinder finds the way back through rbp. But a debugger assumes that a stack only grows down, and stops where it
// seems to turn. So the frame that calls the function claims to be a signal handler's, which may lie anywhere. The
// unwinder takes the caller of such a frame for interrupted code: it looks the return address up where it points to
// instead of one byte before, and so may miss the caller's exception handler. Hence two frames: the caller of the
// upper one is looked up as usual.
//
// void* stackful_call_on(void* stack_pointer, Function function, void* argument)
//                        rdi                  rsi                rdx
        .globl  stackful_call_on
        .hidden stackful_call_on
        .type   stackful_call_on, @function
        .p2align 4
stackful_call_on:
        .cfi_startproc
        endbr64
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbp, 0
        movq    %rsp, %rbp
        .cfi_def_cfa_register %rbp
        call    stackful_go_below
        popq    %rbp
        .cfi_def_cfa %rsp, 8
        .cfi_restore %rbp
        ret
        .cfi_endproc
        .size   stackful_call_on, . - stackful_call_on

        .type   stackful_go_below, @function
        .p2align 4
stackful_go_below:
        .cfi_startproc
        .cfi_signal_frame
        .cfi_def_cfa %rbp, 0
        movq    %rdi, %rsp
        movq    %rdx, %rdi
        call    *%rsi
        leaq    -8(%rbp), %rsp
        ret
        .cfi_endproc
        .size   stackful_go_below, . - stackful_go_below

// Calls the function on the caller's own stack. To an unwinder it looks as if a suspended execution had made the call:
// the call-frame information says where the registers of that execution are saved.
//
// void* stackful_call_beside(void* stack_pointer, Function function, void* argument)
//                            rdi                  rsi                rdx
        .globl  stackful_call_beside
        .hidden stackful_call_beside
        .type   stackful_call_beside, @function
        .p2align 4
stackful_call_beside:
        .cfi_startproc
        endbr64
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r12, 0
        movq    %rdi, %r12
        movq    %rdx, %rdi
        .cfi_remember_state
        .cfi_def_cfa %r12, 64
        .cfi_offset %rbp, -16
        .cfi_offset %rbx, -24
        .cfi_offset %r12, -32
        .cfi_offset %r13, -40
        .cfi_offset %r14, -48
        .cfi_offset %r15, -56
        call    *%rsi
        .cfi_restore_state
        popq    %r12
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r12
        ret
        .cfi_endproc
        .size   stackful_call_beside, . - stackful_call_beside

// Nothing calls these two. They are return addresses.
        .type   stackful_begin, @function
        .p2align 4
stackful_begin:
        .cfi_startproc
        .cfi_undefined %rip
        nop
LOCAL(begin):
        ret
        .cfi_endproc
        .size   stackful_begin, . - stackful_begin

        .type   stackful_root, @function
stackful_root:
        .cfi_startproc
        .cfi_undefined %rip
        nop
LOCAL(root):
        ud2
        .cfi_endproc
        .size   stackful_root, . - stackful_root

#if defined(__ELF__)
        .section .note.gnu.property, "a"
        .p2align 3
        .long   4, 16, 5                        // length of the name, of the contents; NT_GNU_PROPERTY_TYPE_0
        .asciz  "GNU"
        .long   0xc0000002, 4                   // GNU_PROPERTY_X86_FEATURE_1_AND, its length
        .long   1, 0                            // IBT; padding

        .section .note.GNU-stack, "", @progbits
#endif
