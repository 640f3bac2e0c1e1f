// The context switch for x86-64 under the System V ABI (Linux and the other Unix systems).
//
// What a switch has to save. It is called like any function, so the compiler has already saved whatever it still needs
// in registers that a called function may change. Left are the registers which a called function must give back
// unchanged: rbx, rbp, r12 to r15, the stack pointer, and the control words of the two floating-point units (rounding
// mode, exception masks: MXCSR for SSE, the control word for the x87). They are pushed on the stack of the one that
// leaves. Then the stack pointer is exchanged, and everything is popped again, from the other stack.
//
// A suspended execution, and, on the right, one that make_context has made and nobody has switched to yet:
//
//          |  frames of the    |                          stack_base
//          |     caller        |                     +-------------------+ <- stack_base
//          +-------------------+                     | stackful_root     |   where entry would return to
//     +56  |  return address   |                +56  | entry             |   where the first switch "returns" to
//     +48  |  rbp              |                +48  | 0                 |   ends a chain of frame pointers
//     +40  |  rbx              |                +40  |                   |
//     +32  |  r12              |                     |   never read      |
//     +24  |  r13              |                     |   before written  |
//     +16  |  r14              |                     |                   |
//     +8   |  r15              |                 +8  |                   |
//     +0   |  MXCSR | x87 |    | <- Context      +0  |  MXCSR | x87 |    | <- Context
//          +-------------------+                     +-------------------+
//
// While an execution runs, its stack is an ordinary one, whose outermost frame is that of its entry function, which
// was "called" from stackful_root. Nothing of stackful_root ever runs. It is there to be a return address.
//
// Why `ret`. The processor keeps a stack of its own of the return addresses of the `call`s it has seen, and predicts
// each `ret` from it. All executions were suspended by a `call` of this function; if that was the same `call`, the
// prediction is right, though we return on another stack, and the predictor's stack stays in step with ours: one `call`,
// one `ret`. (To pop the address and jump would leave one address too many on the predictor's stack and make
// the next `ret`s of the program go wrong, for what it gains where call sites differ.) For the same reason the
// entry function is started with a `ret` rather than by a `call` that would never be returned from.
//
// The control words are saved with every switch, which is cheap, but loaded only if those of the execution
// that is resumed differ from those of the one that leaves, which is rare: loading either of them is slow.
//
// What an unwinder needs. The call-frame information of stackful_switch says for each instruction where the
// registers of the caller are. Across the exchange of the stack pointer it stays as it is, because both stacks
// look the same there. So a debugger that is told sp = Context::stack_pointer and pc = stackful_suspended shows the frames of
// a suspended execution. stackful_root says that its own return address is undefined: this is where an unwinder has
// reached the end of the stack, and stops. Return addresses are looked up one byte before, in the `call` instruction,
// so stackful_root is preceded by a `nop` that its call-frame information covers.
//
// Control-flow enforcement. The functions begin with endbr64, so indirect branch tracking works, and the object file is marked
// for it. It is not marked for shadow stacks, which would need one of their own for each stack: the
// system then leaves shadow stacks off for the program.

        .text

// void* stackful_switch(Context* from, Context to, void* transfer)
//                       rdi            rsi         rdx
        .globl  stackful_switch
        .hidden stackful_switch
        .type   stackful_switch, @function
        .p2align 6
stackful_switch:
        .cfi_startproc
        endbr64
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
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        stmxcsr (%rsp)
        fnstcw  4(%rsp)

        movq    %rsp, (%rdi)
        movl    (%rsp), %eax
        movzwl  4(%rsp), %ecx
        movq    %rsi, %rsp                      // from here on we are on the other stack

        .globl  stackful_suspended
        .hidden stackful_suspended
stackful_suspended:
        cmpl    (%rsp), %eax
        jne     3f
1:      cmpw    4(%rsp), %cx
        jne     4f
2:      addq    $8, %rsp
        .cfi_remember_state
        .cfi_adjust_cfa_offset -8
        popq    %r15
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r15
        popq    %r14
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r14
        popq    %r13
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r13
        popq    %r12
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r12
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        popq    %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbp
        movq    %rdx, %rax                      // the result of stackful_switch,
        movq    %rdx, %rdi                      // or the argument of an entry function
        ret
        .cfi_restore_state
3:      ldmxcsr (%rsp)
        jmp     1b
4:      fldcw   4(%rsp)
        jmp     2b
        .cfi_endproc
        .size   stackful_switch, . - stackful_switch

// Context stackful_make_context(void* stack_base, EntryPoint entry)
//                               rdi               rsi
        .globl  stackful_make_context
        .hidden stackful_make_context
        .type   stackful_make_context, @function
        .p2align 4
stackful_make_context:
        .cfi_startproc
        endbr64
        leaq    stackful_root(%rip), %rax
        movq    %rax, -8(%rdi)
        movq    %rsi, -16(%rdi)
        movq    $0, -24(%rdi)
        leaq    -72(%rdi), %rax
        stmxcsr (%rax)
        fnstcw  4(%rax)
        ret
        .cfi_endproc
        .size   stackful_make_context, . - stackful_make_context

        .type   stackful_root, @function
        .p2align 4
        .cfi_startproc
        .cfi_undefined %rip
        nop
stackful_root:
        ud2
        .cfi_endproc
        .size   stackful_root, . - stackful_root

        .section .note.gnu.property, "a"
        .p2align 3
        .long   4, 16, 5                        // length of the name, of the contents; NT_GNU_PROPERTY_TYPE_0
        .asciz  "GNU"
        .long   0xc0000002, 4                   // GNU_PROPERTY_X86_FEATURE_1_AND, its length
        .long   1, 0                            // IBT; padding

        .section .note.GNU-stack, "", @progbits
