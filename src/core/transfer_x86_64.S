// transfer_reference(), with a return that the processor can predict.
//
// A processor predicts the target of a `ret` from the last `call`s. The prediction fails if the `ret` is on another stack
// than the last `call`, unless both were made at the same place. In a pair of greenlets one calls yield_value() and the
// other resume(): their places to return to differ, so each switch would cost a wrong prediction. An indirect jump is
// predicted from its last targets, which are the same each time round.
//
//     resume, yield_value      jump to core_transfer_jumping
//     core_transfer_jumping    calls core_transfer: always at the same place, so its `ret` is predicted correctly
//     core_transfer            switches stacks, ...
//     core_transfer_jumping    ... takes the address to return to from the other stack, and jumps there
//
// A `call` without its `ret` stays in the processor's list of calls, which keeps the last few only.

        .text

// PyObject* core_transfer_jumping(Thread&, PyGreenlet*, PyObject*, CallInProgress)
        .globl  core_transfer_jumping
        .hidden core_transfer_jumping
        .type   core_transfer_jumping, @function
        .p2align 4
core_transfer_jumping:
        .cfi_startproc
        endbr64
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        call    core_transfer
        movq    8(%rsp), %rcx
        addq    $16, %rsp
        .cfi_adjust_cfa_offset -16
        .cfi_register %rip, %rcx
        notrack jmp *%rcx
        .cfi_endproc
        .size   core_transfer_jumping, . - core_transfer_jumping

        .section .note.gnu.property, "a"
        .p2align 3
        .long   4, 16, 5                        // length of the name, of the contents; NT_GNU_PROPERTY_TYPE_0
        .asciz  "GNU"
        .long   0xc0000002, 4                   // GNU_PROPERTY_X86_FEATURE_1_AND, its length
        .long   1, 0                            // IBT; padding

        .section .note.GNU-stack, "", @progbits
