// The context switch for x86-64 under Microsoft's ABI (Windows).
//
// arch/x86_64.S explains what a switch saves, how the processor predicts its return, and why there are two ways to
// begin and to return. This file does the same for another ABI. What differs:
//
//   - Arguments come in rcx, rdx, r8, r9 and on the stack. The caller leaves 32 bytes above the return address, the
//     *home space*, in which the called function may store them. So whatever calls a function here leaves them too.
//   - rdi, rsi and xmm6 to xmm15 are preserved by a called function as well.
//   - Windows knows the bounds of the stack that a thread runs on. They are in the thread's information block (TIB), at
//     these distances from the segment register gs:
//
//         0x0000   ExceptionList        unused by 64-bit Windows; Wine chains handlers there
//         0x0008   StackBase            where the stack begins; the highest address
//         0x0010   StackLimit           down to here it is accessible. The page below is marked; Windows catches the
//                                       first access to it, makes it accessible, and moves the mark and this field
//         0x1478   DeallocationStack    the lowest address that the stack may grow to
//
//     The dispatcher of exceptions refuses frames outside of these bounds, and a function with a large frame reads
//     StackLimit. So a switch exchanges all four.
//
// Fields of the thread that stay: what SetThreadStackGuarantee() has set (it holds for any stack that the thread runs
// on), FiberData and fiber-local storage (a greenlet is no fiber; its thread may be one), and the stack of activation
// contexts (code that activates one must not switch before it deactivates it).
//
// On the left a suspended execution, on the right one that make_context has made and that was never resumed:
//
//          |  frames of the    |                     +-------------------+ <- stack_base
//          |     caller,       |               +336  | 0                 |   where stackful_root would return to
//          |   home space      |                     | home space of     |
//          +-------------------+                     |  entry, unused    |
//     +264 |  return address   |               +296  | stackful_root     |   where entry would return to
//     +256 |  rbp              |               +288  | entry             |
//     +248 |  rbx              |               +280  | -                 |   skipped: the stack must be aligned
//     +240 |  rsi              |               +272  | stackful_begin    |   after the second return
//     +232 |  rdi              |               +264  | stackful_begin    |   where the first switch "returns" to
//     +224 |  r12              |               +256  | 0                 |   rbp
//     +216 |  r13              |                     |                   |
//     +208 |  r14              |                     |   read, but       |
//     +200 |  r15              |                     |   of no meaning   |
//     +192 |  ExceptionList    |               +192  | -1                |   none
//     +184 |  DeallocationStack|               +184  | low               |
//     +176 |  StackBase        |               +176  | stack_base        |
//     +168 |  StackLimit       |               +168  | limit             |
//     +160 |  MXCSR | x87 |    |               +160  |  MXCSR | x87 |    |
//     +0   |  xmm6 to xmm15    | <- Context    +0    |                   | <- Context
//          +-------------------+                     +-------------------+
//
// What an unwinder needs. Each function has a table entry (.seh_proc) that says in which order its prologue saves what.
// Within an epilogue the unwinder reads the instructions themselves: `add` to rsp, pops, and a `ret` or a jump. So the
// registers are popped, and nothing stands between the pops and the end. It knows a jump to a register by its REX.W
// prefix, which no assembler has a common name for. A debugger that is given
// sp = Context::stack_pointer and pc = stackful_suspended shows the frames of a suspended execution. stackful_root has
// seemingly been called from address 0, where an unwinder stops. Its handler (system/windows.cpp) does with an exception
// that nobody has handled what the first function of a thread does.
//
// Exceptions do not pass from a function that stackful_call_on has called to its caller, because the dispatcher refuses
// frames on another stack.
//
// Shadow stacks (CET): Windows turns them on only for executables that claim to support them.

        .text

        .macro  save_registers
        pushq   %rbp
        .seh_pushreg %rbp
        pushq   %rbx
        .seh_pushreg %rbx
        pushq   %rsi
        .seh_pushreg %rsi
        pushq   %rdi
        .seh_pushreg %rdi
        pushq   %r12
        .seh_pushreg %r12
        pushq   %r13
        .seh_pushreg %r13
        pushq   %r14
        .seh_pushreg %r14
        pushq   %r15
        .seh_pushreg %r15
        subq    $200, %rsp
        .seh_stackalloc 200
        movaps  %xmm6, (%rsp)
        .seh_savexmm %xmm6, 0
        movaps  %xmm7, 16(%rsp)
        .seh_savexmm %xmm7, 16
        movaps  %xmm8, 32(%rsp)
        .seh_savexmm %xmm8, 32
        movaps  %xmm9, 48(%rsp)
        .seh_savexmm %xmm9, 48
        movaps  %xmm10, 64(%rsp)
        .seh_savexmm %xmm10, 64
        movaps  %xmm11, 80(%rsp)
        .seh_savexmm %xmm11, 80
        movaps  %xmm12, 96(%rsp)
        .seh_savexmm %xmm12, 96
        movaps  %xmm13, 112(%rsp)
        .seh_savexmm %xmm13, 112
        movaps  %xmm14, 128(%rsp)
        .seh_savexmm %xmm14, 128
        movaps  %xmm15, 144(%rsp)
        .seh_savexmm %xmm15, 144
        .seh_endprologue
        .endm

        // Saves the control words, and the bounds of the stack at `place`. Changes rax.
        .macro  save_control_words
        stmxcsr 160(%rsp)
        fnstcw  164(%rsp)
        .endm

        .macro  save_bounds place
        movq    %gs:0x10, %rax
        movq    %rax, 0+\place
        movq    %gs:0x8, %rax
        movq    %rax, 8+\place
        movq    %gs:0x1478, %rax
        movq    %rax, 16+\place
        movq    %gs:0x0, %rax
        movq    %rax, 24+\place
        .endm

        .macro  load_bounds place
        movq    0+\place, %rax
        movq    %rax, %gs:0x10
        movq    8+\place, %rax
        movq    %rax, %gs:0x8
        movq    16+\place, %rax
        movq    %rax, %gs:0x1478
        movq    24+\place, %rax
        movq    %rax, %gs:0x0
        .endm

        .macro  load_vectors
        movaps  (%rsp), %xmm6
        movaps  16(%rsp), %xmm7
        movaps  32(%rsp), %xmm8
        movaps  48(%rsp), %xmm9
        movaps  64(%rsp), %xmm10
        movaps  80(%rsp), %xmm11
        movaps  96(%rsp), %xmm12
        movaps  112(%rsp), %xmm13
        movaps  128(%rsp), %xmm14
        movaps  144(%rsp), %xmm15
        .endm

        // The epilogue but for its last instruction.
        .macro  pop_registers
        addq    $200, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rdi
        popq    %rsi
        popq    %rbx
        popq    %rbp
        .endm

        // Out of line, where the x87 control words differ. `1` is the place to go back to.
        .macro  load_x87
3:      fldcw   164(%rsp)
        jmp     1b
        .endm

// void* stackful_switch(Context* from, Context to, void* transfer)
//                       rcx            rdx         r8
        .globl  stackful_switch
        .def    stackful_switch; .scl 2; .type 32; .endef
        .p2align 6
        .seh_proc stackful_switch
stackful_switch:
        save_registers
        save_control_words
        save_bounds 168(%rsp)
        movzwl  164(%rsp), %r11d                // our x87 control word
        movq    264(%rsp), %r9                  // our return address
        movq    %rsp, (%rcx)
        movq    %rdx, %rsp                      // from here on we are on the other stack

        .globl  stackful_suspended
stackful_suspended:
        load_bounds 168(%rsp)
        movq    264(%rsp), %r10                 // its return address
        movq    %r8, %rax                       // the result of stackful_switch,
        movq    %r8, %rcx                       // or the argument of an entry function
        ldmxcsr 160(%rsp)
        cmpw    164(%rsp), %r11w
        jne     3f
1:      load_vectors
        cmpq    %r9, %r10
        jne     2f
        pop_registers
        ret
2:      pop_registers
        popq    %r10
        .byte   0x49, 0xff, 0xe2                // jmp *%r10
        load_x87
        .seh_endproc

        // From the stack whose context goes to *r9 to that of the fifth argument. Leaves the sixth in r11, and changes
        // no register that holds an argument.
        .macro  change_stacks
        save_registers
        save_control_words
        save_bounds 168(%rsp)
        movq    304(%rsp), %r10                 // the fifth argument,
        movq    312(%rsp), %r11                 // the sixth
        movzwl  164(%rsp), %eax                 // our x87 control word
        movq    %rsp, (%r9)
        movq    %r10, %rsp                      // from here on we are on the other stack
        cmpw    164(%rsp), %ax
        jne     3f
1:      load_bounds 168(%rsp)
        ldmxcsr 160(%rsp)
        load_vectors
        .endm

// void* stackful_switch_arriving(void* x, void* y, void* transfer, Context* from, Context to, Arrival arrival)
//                                rcx      rdx      r8              r9             stack       stack
        .globl  stackful_switch_arriving
        .def    stackful_switch_arriving; .scl 2; .type 32; .endef
        .p2align 6
        .seh_proc stackful_switch_arriving
stackful_switch_arriving:
        change_stacks
        pop_registers
        .byte   0x49, 0xff, 0xe3                // jmp *%r11, which returns to the other execution
        load_x87
        .seh_endproc

// The parameters are those of stackful_switch_arriving.
        .globl  stackful_switch_arriving_by_jump
        .def    stackful_switch_arriving_by_jump; .scl 2; .type 32; .endef
        .p2align 6
        .seh_proc stackful_switch_arriving_by_jump
stackful_switch_arriving_by_jump:
        change_stacks
        pop_registers
        jmp     stackful_return_by_jump
        load_x87
        .seh_endproc

        .def    stackful_return_by_jump; .scl 3; .type 32; .endef
        .p2align 4
        .seh_proc stackful_return_by_jump
stackful_return_by_jump:
        subq    $40, %rsp
        .seh_stackalloc 40
        .seh_endprologue
        call    *%r11
        addq    $40, %rsp
        popq    %rcx                            // the other execution's return address
        .byte   0x48, 0xff, 0xe1                // jmp *%rcx
        .seh_endproc

// void* stackful_make_context(void* stack_base, EntryPoint entry, void* low, void* limit)
//                             rcx               rdx               r8         r9
        .globl  stackful_make_context
        .def    stackful_make_context; .scl 2; .type 32; .endef
        .p2align 4
stackful_make_context:
        leaq    -352(%rcx), %rax
        movq    $0, 336(%rax)
        leaq    .Lroot(%rip), %r10
        movq    %r10, 296(%rax)
        movq    %rdx, 288(%rax)
        leaq    .Lbegin_aligned(%rip), %r10
        movq    %r10, 272(%rax)
        leaq    .Lbegin(%rip), %r10
        movq    %r10, 264(%rax)
        movq    $0, 256(%rax)
        movq    $-1, 192(%rax)
        movq    %r8, 184(%rax)
        movq    %rcx, 176(%rax)
        movq    %r9, 168(%rax)
        stmxcsr 160(%rax)
        fnstcw  164(%rax)
        ret

// A call on another stack, below the frames of the execution that is suspended there, whose context the stack pointer
// is. The frame pointer remembers the place on our own stack, and says where our frames are, whatever the stack pointer
// is. The bounds of our stack are kept there; those of the other one are its context's, which learns how far that stack
// has grown meanwhile.
//
// void* stackful_call_on(void* stack_pointer, Function function, void* argument)
//                        rcx                  rdx                r8
        .globl  stackful_call_on
        .def    stackful_call_on; .scl 2; .type 32; .endef
        .p2align 4
        .seh_proc stackful_call_on
stackful_call_on:
        pushq   %rbp
        .seh_pushreg %rbp
        pushq   %rbx
        .seh_pushreg %rbx
        subq    $40, %rsp
        .seh_stackalloc 40
        movq    %rsp, %rbp
        .seh_setframe %rbp, 0
        .seh_endprologue
        save_bounds 0(%rbp)
        movq    %rcx, %rbx
        leaq    -32(%rcx), %rsp                 // from here on we are on the other stack
        load_bounds 168(%rbx)
        movq    %r8, %rcx
        call    *%rdx
        movq    %rax, %rcx
        movq    %gs:0x10, %rax
        movq    %rax, 168(%rbx)
        movq    %rbp, %rsp
        load_bounds 0(%rbp)
        movq    %rcx, %rax
        leaq    (%rbp), %rsp
        addq    $40, %rsp
        popq    %rbx
        popq    %rbp
        ret
        .seh_endproc

// Calls the function on the caller's own stack. To an unwinder it looks as if a suspended execution had made the call:
// the prologue that the table describes is that of stackful_switch, and its stack pointer is in r12.
//
// void* stackful_call_beside(void* stack_pointer, Function function, void* argument)
//                            rcx                  rdx                r8
        .globl  stackful_call_beside
        .def    stackful_call_beside; .scl 2; .type 32; .endef
        .p2align 4
        .seh_proc stackful_call_beside
stackful_call_beside:
        pushq   %r12
        subq    $32, %rsp
        movq    %rcx, %r12
        movq    %r8, %rcx
        .seh_pushreg %rbp
        .seh_pushreg %rbx
        .seh_pushreg %rsi
        .seh_pushreg %rdi
        .seh_pushreg %r12
        .seh_pushreg %r13
        .seh_pushreg %r14
        .seh_pushreg %r15
        .seh_stackalloc 200
        .seh_setframe %r12, 0
        .seh_savexmm %xmm6, 0
        .seh_savexmm %xmm7, 16
        .seh_savexmm %xmm8, 32
        .seh_savexmm %xmm9, 48
        .seh_savexmm %xmm10, 64
        .seh_savexmm %xmm11, 80
        .seh_savexmm %xmm12, 96
        .seh_savexmm %xmm13, 112
        .seh_savexmm %xmm14, 128
        .seh_savexmm %xmm15, 144
        .seh_endprologue
        call    *%rdx
        nop                                     // a return address before an epilogue would be unwound by that
        addq    $32, %rsp
        popq    %r12
        ret
        .seh_endproc

// Nothing calls these. They are return addresses.
        .p2align 4
        .seh_proc stackful_begin
stackful_begin:
        .seh_endprologue
        nop
.Lbegin:
        ret
        .seh_endproc

        .p2align 4
        .seh_proc stackful_begin_aligned
stackful_begin_aligned:
        subq    $8, %rsp                        // never runs
        .seh_stackalloc 8
        .seh_endprologue
        nop
.Lbegin_aligned:
        addq    $8, %rsp
        ret
        .seh_endproc

        .p2align 4
        .seh_proc stackful_root
        .seh_handler stackful_unhandled, @except
stackful_root:
        subq    $32, %rsp                       // never runs
        .seh_stackalloc 32
        .seh_endprologue
        nop
.Lroot:
        ud2
        .seh_endproc
