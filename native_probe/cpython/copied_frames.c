#define Py_BUILD_CORE 1
#include "cpython/copied_frames.h"

#include <Python.h>
#include <stdatomic.h>

#include "cpython/frames.h"
#include "cpython/interpreter_frame.h"
#include "internal/pycore_code.h"

enum { kMostSteps = 64 };

static struct gilscope_frame_copies the_copies;
static _Atomic int taken;

struct gilscope_frame_copies* gilscope_take_frame_copies(void) {
  return atomic_exchange(&taken, 1) == 0 ? &the_copies : NULL;
}

void gilscope_give_back_frame_copies(void) { atomic_store(&taken, 0); }

/* Up to its variables, which may be at the end of what is readable. */
static int copy_frame(_PyInterpreterFrame* frame, uintptr_t from) {
  return gilscope_copy(frame, from, offsetof(_PyInterpreterFrame, localsplus));
}

static uintptr_t function_address(const _PyInterpreterFrame* frame) {
#if PY_VERSION_HEX >= 0x030E0000
  return frame->f_funcobj.bits & ~(uintptr_t)3;
#else
  return (uintptr_t)frame->f_funcobj;
#endif
}

/* The first instruction of the code; 0 when it cannot be told. */
static uintptr_t instructions_of(const _PyInterpreterFrame* frame, uintptr_t code,
                                 const PyCodeObject* copy) {
#if PY_VERSION_HEX >= 0x030E0000 && defined(Py_GIL_DISABLED)
  if (frame->tlbc_index != 0) {
    uintptr_t entry = (uintptr_t)copy->co_tlbc + offsetof(_PyCodeArray, entries) +
                      (uintptr_t)frame->tlbc_index * sizeof(char*);
    uintptr_t first = 0;
    return copy->co_tlbc != NULL && gilscope_copy(&first, entry, sizeof first) ? first : 0;
  }
#else
  (void)frame;
  (void)copy;
#endif
  return code + offsetof(PyCodeObject, co_code_adaptive);
}

static uint32_t line_of(const PyCodeObject* code, long unit, struct gilscope_frame_copies* copies) {
  PyVarObject head;
  const uintptr_t table = (uintptr_t)code->co_linetable;
  if (!gilscope_copy(&head, table, sizeof head) || head.ob_base.ob_type != &PyBytes_Type) return 0;
  const size_t size = (size_t)head.ob_size;
  if (size > sizeof copies->lines ||
      !gilscope_copy(copies->lines, table + offsetof(PyBytesObject, ob_sval), size)) {
    return 0;
  }
  return gilscope_line_at(copies->lines, copies->lines + size, code->co_firstlineno, unit);
}

static uint32_t copy_text(const void* string, char* buffer, size_t capacity) {
  return (uint32_t)gilscope_copy_text((uintptr_t)string, buffer, capacity);
}

/* 0: it has not begun to run its function yet, or it is no frame. */
static int copy_place(const _PyInterpreterFrame* frame, struct gilscope_copied_frame* copy,
                      struct gilscope_frame_copies* copies) {
  PyCodeObject code;
  const uintptr_t address = gilscope_code_of_frame(frame);
  if (address == 0 || !gilscope_copy(&code, address, sizeof code) ||
      code.ob_base.ob_base.ob_type != &PyCode_Type) {
    return 0;
  }
  const uintptr_t first = instructions_of(frame, address, &code);
  const long unit =
      first != 0 ? ((long)(uintptr_t)frame->instr_ptr - (long)first) / (long)sizeof(_Py_CODEUNIT)
                 : -1;
  const int known = unit >= 0 && unit < (long)Py_SIZE(&code);
  if (known && frame->owner != FRAME_OWNED_BY_GENERATOR && unit < code._co_firsttraceable) return 0;
  copy->first_line = code.co_firstlineno > 0 ? (uint32_t)code.co_firstlineno : 0;
  copy->line = known ? line_of(&code, unit, copies) : 0;
  copy->name_length = copy_text(code.co_qualname, copy->name, sizeof copy->name);
  copy->file_length = copy_text(code.co_filename, copy->file, sizeof copy->file);
  copy->module_length = 0;
  PyFunctionObject function;
  const uintptr_t owner = function_address(frame);
  if (owner != 0 && gilscope_copy(&function, owner, sizeof function) &&
      function.ob_base.ob_type == &PyFunction_Type) {
    copy->module_length = copy_text(function.func_module, copy->module, sizeof copy->module);
  }
  return 1;
}

void gilscope_copy_frames(const void* state, struct gilscope_frame_copies* copies) {
  const size_t capacity = sizeof copies->frames / sizeof *copies->frames;
  uintptr_t at = 0;
  copies->count = 0;
  const uintptr_t place = (uintptr_t)state + offsetof(PyThreadState, current_frame);
  if (state == NULL || !gilscope_copy(&at, place, sizeof at)) return;
  for (int steps = 0; at != 0 && copies->count < capacity && steps < kMostSteps; ++steps) {
    _PyInterpreterFrame frame;
    if (!copy_frame(&frame, at)) return;
    at = (uintptr_t)frame.previous;
    if (frame.owner >= kFirstOwnerWithoutCode) continue;
    if (copy_place(&frame, &copies->frames[copies->count], copies)) ++copies->count;
  }
}
