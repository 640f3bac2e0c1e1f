// The context switch for i386 under the System V ABI (Linux).
//
// What a switch has to save. It is called like any function, so the compiler has already saved what it still needs in
// the registers that a called function may change. What is left are the registers that a called function must preserve:
// ebx, ebp, esi, edi, the stack pointer, and the control words of the two floating-point units (rounding mode,
// exception masks: MXCSR for SSE, the control word for the x87). A switch pushes them on the stack of the execution
// that leaves, exchanges the stack pointer, and pops everything from the other stack. The processor must have SSE.
//
// On the left a suspended execution, on the right one that make_context has made and that was never resumed:
//
//                                                    +-------------------+ <- stack_base
//                                               +44  |   unused          |   12 bytes: the argument is aligned
//          |  frames of the    |                +40  | -                 |   will be the argument of entry
//          |     caller        |                +36  | stackful_root     |   where entry would return to
//          |  arguments of     |                +32  | entry             |
//          |   stackful_switch |                +28  | stackful_begun    |
//          +-------------------+                     |                   |
//     +24  |  return address   |                +24  | stackful_begin    |   where the first switch "returns" to
//     +20  |  ebp              |                +20  | 0                 |   ends a chain of frame pointers
//     +16  |  ebx              |                     |   read, but       |
//     +12  |  esi              |                     |   of no meaning   |
//     +8   |  edi              |                 +8  |                   |
//     +0   |  MXCSR | x87 |    | <- Context      +0  |  MXCSR | x87 |    | <- Context
//          +-------------------+                     +-------------------+
//
// A beginning. stackful_begin stores the argument where entry expects it. While an execution runs, its stack is an
// ordinary one, whose outermost frame is that of its entry function, which stackful_root has seemingly called. Nothing
// of stackful_root ever runs: it only provides a return address.
//
// Predicting the return, and the control words. As in x86_64.S: the return addresses are compared, and a beginning
// returns twice, from stackful_begin and from stackful_begun.
//
// An arrival has its arguments where those of the suspended call were. They belong to the called function, and there
// are three at least.
//
// What an unwinder needs. For each instruction, the call-frame information of stackful_switch says where the registers
// of the caller are. It does not change where the stack pointer is exchanged, because both stacks look the same there.
// So a debugger that is given esp = Context::stack_pointer and eip = stackful_suspended shows the frames of a suspended
// execution. The return address of stackful_root is marked undefined: there the stack ends, and an unwinder stops.
// Unwinders look a return address up one byte before it, in the `call` instruction, so each of these functions
// starts with a `nop` in its place.
//
// Control-flow enforcement. As in x86_64.S: indirect branch tracking is supported, shadow stacks are not.

        .text

        // Pushes the registers and the control words of the execution that leaves.
        .macro  save_registers
        pushl   %ebp
        .cfi_adjust_cfa_offset 4
        .cfi_rel_offset %ebp, 0
        pushl   %ebx
        .cfi_adjust_cfa_offset 4
        .cfi_rel_offset %ebx, 0
        pushl   %esi
        .cfi_adjust_cfa_offset 4
        .cfi_rel_offset %esi, 0
        pushl   %edi
        .cfi_adjust_cfa_offset 4
        .cfi_rel_offset %edi, 0
        subl    $8, %esp
        .cfi_adjust_cfa_offset 8
        stmxcsr (%esp)
        fnstcw  4(%esp)
        .endm

        // Pops those of the execution that resumes, but for the control words.
        .macro  load_registers
        movl    8(%esp), %edi
        movl    12(%esp), %esi
        movl    16(%esp), %ebx
        movl    20(%esp), %ebp
        .cfi_remember_state
        addl    $24, %esp
        .cfi_adjust_cfa_offset -24
        .cfi_restore %edi
        .cfi_restore %esi
        .cfi_restore %ebx
        .cfi_restore %ebp
        .endm

        // Out of line, where the x87 control words differ. `1` is the load_registers to go back to.
        .macro  load_x87
        .cfi_restore_state
3:      fldcw   4(%esp)
        jmp     1b
        .endm

        .macro  begin_function name
        .globl  \name
        .hidden \name
        .type   \name, @function
        .p2align 4
\name:
        .cfi_startproc
        endbr32
        .endm

        .macro  end_function name
        .cfi_endproc
        .size   \name, . - \name
        .endm

// void* stackful_switch(Context* from, Context to, void* transfer)
//                       esp + 4        + 8         + 12
        begin_function stackful_switch
        save_registers
        movl    24+4(%esp), %edx                // from
        movl    24+8(%esp), %ebx                // to
        movl    24+12(%esp), %eax               // the result of stackful_switch, or the argument of an entry function
        movl    24(%esp), %esi                  // our return address
        movl    4(%esp), %edi                   // our x87 control word
        movl    %esp, (%edx)
        movl    %ebx, %esp                      // from here on we are on the other stack

        .globl  stackful_suspended
        .hidden stackful_suspended
stackful_suspended:
        movl    24(%esp), %ecx                  // its return address
        movl    %esi, %edx
        ldmxcsr (%esp)
        cmpw    4(%esp), %di
        jne     3f
1:      load_registers
        cmpl    %edx, %ecx
        jne     2f
        ret
2:      addl    $4, %esp
        .cfi_adjust_cfa_offset -4
        .cfi_register %eip, %ecx
        notrack jmp *%ecx
        load_x87
        end_function stackful_switch

// void* stackful_switch_arriving(void* x, void* y, void* transfer, Context* from, Context to, Arrival arrival)
//                                esp + 4  + 8      + 12            + 16           + 20        + 24
        begin_function stackful_switch_arriving
        save_registers
        movl    4(%esp), %edi                   // our x87 control word
        movl    %esp, %ebp
        movl    24+16(%ebp), %edx
        movl    %esp, (%edx)
        movl    24+20(%ebp), %esp               // from here on we are on the other stack
        movl    24+4(%ebp), %eax
        movl    24+8(%ebp), %ecx
        movl    24+12(%ebp), %edx
        movl    %eax, 24+4(%esp)
        movl    %ecx, 24+8(%esp)
        movl    %edx, 24+12(%esp)
        movl    24+24(%ebp), %edx
        ldmxcsr (%esp)
        cmpw    4(%esp), %di
        jne     3f
1:      load_registers
        jmp     *%edx                           // to what returns to the other execution
        load_x87
        end_function stackful_switch_arriving

// void* stackful_make_context(void* stack_base, EntryPoint entry)
//                             esp + 4           + 8
        begin_function stackful_make_context
        call    stackful_here                   // eax = .Lhere
.Lhere: movl    4(%esp), %edx
        movl    8(%esp), %ecx
        movl    %ecx, -24(%edx)
        leal    .Lroot-.Lhere(%eax), %ecx
        movl    %ecx, -20(%edx)
        leal    .Lbegun-.Lhere(%eax), %ecx
        movl    %ecx, -28(%edx)
        leal    .Lbegin-.Lhere(%eax), %ecx
        movl    %ecx, -32(%edx)
        movl    $0, -36(%edx)
        leal    -56(%edx), %eax
        stmxcsr (%eax)
        fnstcw  4(%eax)
        ret
        end_function stackful_make_context

        .type   stackful_here, @function
stackful_here:
        .cfi_startproc
        movl    (%esp), %eax
        ret
        end_function stackful_here

// A call on another stack, below the frames of the execution that is suspended there. The frame pointer remembers the
// place on our own stack, and says where our frames are, whatever the stack pointer is:
//
//          our stack                               the other stack
//     |  frames of the    |                     |  frames of the    |
//     |     caller        |                     |    suspended one  |
//     |  arguments        |                     |   and its saved   |
//     |  return address   |                     |     registers     |
//     |  ebp              | <- ebp              +-------------------+ <- stack_pointer
//     |  return address   |                     |  argument         |
//     +-------------------+                     |  return address   |
//                                               |  frames of        |
//                                               |     function      | <- esp
//
// x86_64.S says why there are two frames, and why the one that calls the function claims to be a signal handler's.
//
// void* stackful_call_on(void* stack_pointer, Function function, void* argument)
//                        esp + 4              + 8                + 12
        begin_function stackful_call_on
        pushl   %ebp
        .cfi_adjust_cfa_offset 4
        .cfi_rel_offset %ebp, 0
        movl    %esp, %ebp
        .cfi_def_cfa_register %ebp
        call    stackful_go_below
        popl    %ebp
        .cfi_def_cfa %esp, 4
        .cfi_restore %ebp
        ret
        end_function stackful_call_on

        .type   stackful_go_below, @function
        .p2align 4
stackful_go_below:
        .cfi_startproc
        .cfi_signal_frame
        .cfi_def_cfa %ebp, 0
        movl    4+4(%ebp), %esp
        movl    4+12(%ebp), %eax
        subl    $16, %esp
        movl    %eax, (%esp)
        call    *4+8(%ebp)
        leal    -4(%ebp), %esp
        ret
        end_function stackful_go_below

// Calls the function on the caller's own stack. To an unwinder it looks as if a suspended execution had made the call:
// the call-frame information says where the registers of that execution are saved.
//
// void* stackful_call_beside(void* stack_pointer, Function function, void* argument)
//                            esp + 4              + 8                + 12
        begin_function stackful_call_beside
        pushl   %ebx
        .cfi_adjust_cfa_offset 4
        .cfi_rel_offset %ebx, 0
        subl    $8, %esp
        .cfi_adjust_cfa_offset 8
        movl    12+4(%esp), %ebx
        movl    12+8(%esp), %ecx
        movl    12+12(%esp), %eax
        movl    %eax, (%esp)
        .cfi_remember_state
        .cfi_def_cfa %ebx, 28
        .cfi_offset %ebp, -8
        .cfi_offset %ebx, -12
        .cfi_offset %esi, -16
        .cfi_offset %edi, -20
        call    *%ecx
        .cfi_restore_state
        addl    $8, %esp
        .cfi_adjust_cfa_offset -8
        popl    %ebx
        .cfi_adjust_cfa_offset -4
        .cfi_restore %ebx
        ret
        end_function stackful_call_beside

// Nothing calls these three. They are return addresses.
        .type   stackful_begin, @function
        .p2align 4
        .cfi_startproc
        .cfi_undefined %eip
stackful_begin:
        nop
.Lbegin:
        movl    %eax, 12(%esp)
        ret
        end_function stackful_begin

        .type   stackful_begun, @function
        .cfi_startproc
        .cfi_undefined %eip
stackful_begun:
        nop
.Lbegun:
        ret
        end_function stackful_begun

        .type   stackful_root, @function
        .cfi_startproc
        .cfi_undefined %eip
stackful_root:
        nop
.Lroot:
        ud2
        end_function stackful_root

        .section .note.gnu.property, "a"
        .p2align 2
        .long   4, 12, 5                        // length of the name, of the contents; NT_GNU_PROPERTY_TYPE_0
        .asciz  "GNU"
        .long   0xc0000002, 4                   // GNU_PROPERTY_X86_FEATURE_1_AND, its length
        .long   1                               // IBT

        .section .note.GNU-stack, "", @progbits
