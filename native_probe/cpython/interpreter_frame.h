/* What every reader of the interpreter's frames needs to know of them. For C files that include
 * CPython's internal headers, after Py_BUILD_CORE is defined. */
#pragma once

#include <Python.h>
#include <stdint.h>

#include "internal/pycore_frame.h"
#if PY_VERSION_HEX >= 0x030E0000
#include "internal/pycore_interpframe.h"
#endif

/* 3 is a frame on the C stack, or the interpreter's; what is above does not run code either. */
enum { kFirstOwnerWithoutCode = 3 };

/* The address of its code object, without the tag. */
static inline uintptr_t gilscope_code_of_frame(const _PyInterpreterFrame* frame) {
#if PY_VERSION_HEX >= 0x030E0000
  return frame->f_executable.bits & ~(uintptr_t)3;
#else
  return (uintptr_t)frame->f_executable;
#endif
}

/* This frame, or the first one outwards that runs code; null if there is none. */
static inline const _PyInterpreterFrame* gilscope_frame_with_code(
    const _PyInterpreterFrame* frame) {
  while (frame != NULL && frame->owner >= kFirstOwnerWithoutCode) frame = frame->previous;
  return frame;
}
