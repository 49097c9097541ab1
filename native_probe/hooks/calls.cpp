#include "hooks/calls.hpp"

#include <string_view>

#include "hooks/callbacks.hpp"

// Some of these functions take a variable number of arguments, which C++ cannot pass on. So a hook
// is a few instructions that leave all registers and the stack as they are, look at one word of the
// thread and jump to the real function: about a nanosecond, and no frame of ours while it runs.
extern "C" {

// The word. Trivial and initial-exec: two instructions to get at it.
__attribute__((visibility("hidden"), tls_model("initial-exec"))) __thread int gilscope_call_wanted =
    1;  // a thread that may never have had a thread state

// What the first two arguments of the function are.
enum : int {
  GILSCOPE_CALLS_OBJECT = 0,       // the callable
  GILSCOPE_CALLS_METHOD_TEXT = 1,  // an object, the name of its method (C string)
  GILSCOPE_CALLS_METHOD_NAME = 2,  // an object, the name of its method (str)
  GILSCOPE_CALLS_VECTOR_NAME =
      3,  // the name of a method (str), arguments that begin with its object
};

__attribute__((visibility("hidden"), used)) void gilscope_called(void* first, void* second, int how,
                                                                 const void* frame) {
  using gilscope::hooks::callbacks::Call;
  Call call{};
  switch (how) {
    case GILSCOPE_CALLS_OBJECT: call.object = first; break;
    case GILSCOPE_CALLS_METHOD_TEXT:
      call.self = first;
      call.text = static_cast<const char*>(second);
      break;
    case GILSCOPE_CALLS_METHOD_NAME:
      call.self = first;
      call.name = second;
      break;
    default:
      call.self = second != nullptr ? *static_cast<void**>(second) : nullptr;
      call.name = first;
      break;
  }
  gilscope::hooks::callbacks::called(call, frame);
}

}  // extern "C"

#if defined(__x86_64__)

// All registers that can hold arguments are kept, %al (the number of vector registers used) too.
asm(R"(
  .macro gilscope_call_hook function how
  .weak \function
  .globl gilscope_\function
  .hidden gilscope_\function
  .type gilscope_\function, @function
  .p2align 4
gilscope_\function:
  .cfi_startproc
  endbr64
  movq gilscope_call_wanted@gottpoff(%rip), %r11
  cmpl $0, %fs:(%r11)
  jne 1f
  jmpq *\function@GOTPCREL(%rip)
1:
  pushq %rbp
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %rbp, 0
  movq %rsp, %rbp
  .cfi_def_cfa_register %rbp
  pushq %rdi
  pushq %rsi
  pushq %rdx
  pushq %rcx
  pushq %r8
  pushq %r9
  pushq %rax
  subq $136, %rsp
  movaps %xmm0, (%rsp)
  movaps %xmm1, 16(%rsp)
  movaps %xmm2, 32(%rsp)
  movaps %xmm3, 48(%rsp)
  movaps %xmm4, 64(%rsp)
  movaps %xmm5, 80(%rsp)
  movaps %xmm6, 96(%rsp)
  movaps %xmm7, 112(%rsp)
  movl $\how, %edx
  movq %rbp, %rcx
  call gilscope_called
  movaps (%rsp), %xmm0
  movaps 16(%rsp), %xmm1
  movaps 32(%rsp), %xmm2
  movaps 48(%rsp), %xmm3
  movaps 64(%rsp), %xmm4
  movaps 80(%rsp), %xmm5
  movaps 96(%rsp), %xmm6
  movaps 112(%rsp), %xmm7
  addq $136, %rsp
  popq %rax
  popq %r9
  popq %r8
  popq %rcx
  popq %rdx
  popq %rsi
  popq %rdi
  popq %rbp
  .cfi_def_cfa %rsp, 8
  .cfi_restore %rbp
  jmpq *\function@GOTPCREL(%rip)
  .cfi_endproc
  .size gilscope_\function, . - gilscope_\function
  .endm

  .text
  gilscope_call_hook PyObject_Call 0
  gilscope_call_hook PyObject_CallNoArgs 0
  gilscope_call_hook PyObject_CallOneArg 0
  gilscope_call_hook PyObject_CallObject 0
  gilscope_call_hook PyObject_CallFunction 0
  gilscope_call_hook PyObject_CallFunctionObjArgs 0
  gilscope_call_hook PyObject_Vectorcall 0
  gilscope_call_hook PyObject_VectorcallDict 0
  gilscope_call_hook PyObject_CallMethod 1
  gilscope_call_hook PyObject_CallMethodObjArgs 2
  gilscope_call_hook PyObject_VectorcallMethod 3
  gilscope_call_hook _PyObject_CallFunction_SizeT 0
  gilscope_call_hook _PyObject_CallMethod_SizeT 1
)");

#define GILSCOPE_CALL_FUNCTIONS(DO) \
  DO(PyObject_Call)                 \
  DO(PyObject_CallNoArgs)           \
  DO(PyObject_CallOneArg)           \
  DO(PyObject_CallObject)           \
  DO(PyObject_CallFunction)         \
  DO(PyObject_CallFunctionObjArgs)  \
  DO(PyObject_Vectorcall)           \
  DO(PyObject_VectorcallDict)       \
  DO(PyObject_CallMethod)           \
  DO(PyObject_CallMethodObjArgs)    \
  DO(PyObject_VectorcallMethod)     \
  DO(_PyObject_CallFunction_SizeT)  \
  DO(_PyObject_CallMethod_SizeT)

// The interpreter's names.
// NOLINTBEGIN(readability-identifier-naming,bugprone-macro-parentheses)
#define GILSCOPE_DECLARE(function)                  \
  extern "C" __attribute__((weak)) void function(); \
  extern "C" __attribute__((visibility("hidden"))) void gilscope_##function();
GILSCOPE_CALL_FUNCTIONS(GILSCOPE_DECLARE)

namespace gilscope::hooks::calls {

std::vector<Hook> hooks() {
  std::vector<Hook> all;
// The old names are not there in every version.
#define GILSCOPE_ADD(function) \
  if (&function != nullptr)    \
    all.push_back({#function, reinterpret_cast<void*>(&gilscope_##function)});
  GILSCOPE_CALL_FUNCTIONS(GILSCOPE_ADD)
  return all;
}

}  // namespace gilscope::hooks::calls
// NOLINTEND(readability-identifier-naming,bugprone-macro-parentheses)

#else

namespace gilscope::hooks::calls {

// Not there yet for this processor: callbacks are recorded without what they call.
std::vector<Hook> hooks() { return {}; }

}  // namespace gilscope::hooks::calls

#endif

namespace gilscope::hooks::calls {

void set_wanted(bool wanted) { gilscope_call_wanted = wanted ? 1 : 0; }

}  // namespace gilscope::hooks::calls
