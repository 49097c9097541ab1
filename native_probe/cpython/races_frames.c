/* See races_frames.h. */
#define Py_BUILD_CORE 1
#include "cpython/races_frames.h"

#include <Python.h>

#include "cpython/frames.h"
#include "cpython/interpreter_frame.h"
#include "internal/pycore_code.h"
#include "internal/pycore_dict.h"
#include "internal/pycore_list.h"
#include "internal/pycore_pystate.h"

int gilscope_operands_of(const void* code, struct gilscope_operands* operands) {
  const _PyInterpreterFrame* frame = gilscope_frame_with_code(PyThreadState_Get()->current_frame);
  if (frame == NULL || gilscope_code_of_frame(frame) != (uintptr_t)code) return 0;
  operands->frame = frame;
  operands->locals = (const uintptr_t*)frame->localsplus;
  operands->globals = frame->f_globals;
  operands->names = frame->f_locals;
  return 1;
}

const void* gilscope_running_frame(void) {
  const PyThreadState* tstate = PyThreadState_GetUnchecked();
  return tstate == NULL ? NULL : gilscope_frame_with_code(tstate->current_frame);
}

size_t gilscope_raw_stack(const void* first, struct gilscope_raw_frame* frames, size_t capacity) {
  size_t count = 0;
  const _PyInterpreterFrame* frame = first;
  for (; frame != NULL && count < capacity; frame = gilscope_frame_with_code(frame->previous)) {
    frames[count++] = (struct gilscope_raw_frame){frame, (const void*)gilscope_code_of_frame(frame),
                                                  frame->instr_ptr};
  }
  return count;
}

int gilscope_is_raw_stack(const void* first, const struct gilscope_raw_frame* frames, size_t count,
                          size_t capacity) {
  const _PyInterpreterFrame* frame = first;
  for (size_t i = 0; i < count; ++i, frame = gilscope_frame_with_code(frame->previous)) {
    if (frame == NULL || frame != frames[i].frame ||
        gilscope_code_of_frame(frame) != (uintptr_t)frames[i].code) {
      return 0;
    }
    if (i != 0 && frame->instr_ptr != frames[i].instruction) return 0;
  }
  return count == capacity || frame == NULL;
}

long gilscope_unit_of(const void* of) {
  const _PyInterpreterFrame* frame = of;
  PyCodeObject* code = (PyCodeObject*)gilscope_code_of_frame(frame);
  const long unit = gilscope_frame_unit(frame);
  return unit >= 0 && unit < Py_SIZE(code) ? unit : -1;
}

/* All of them begin with what they go over, after the head that all objects have; a list's iterator
 * has its position before that. */
void* gilscope_iterated(void* of) {
  PyObject* iterator = of;
  const PyTypeObject* type = Py_TYPE(iterator);
  if (type == &PyListIter_Type) return ((_PyListIterObject*)iterator)->it_seq;
  if (type == &PyDictIterKey_Type || type == &PyDictIterValue_Type ||
      type == &PyDictIterItem_Type || type == &PySetIter_Type) {
    return *(void**)((char*)iterator + sizeof(PyObject));
  }
  return NULL;
}

void* gilscope_viewed(void* view) { return ((_PyDictViewObject*)view)->dv_dict; }

#if PY_VERSION_HEX < 0x030E0000 && !defined(Py_GIL_DISABLED)
int gilscope_has_text_keys(void* dict) { return DK_IS_UNICODE(((PyDictObject*)dict)->ma_keys); }

static PyObject* inline_value(PyObject* object, PyObject* name, uint32_t* place) {
  PyDictKeysObject* keys = ((PyHeapTypeObject*)Py_TYPE(object))->ht_cached_keys;
  if (keys == NULL || !DK_IS_UNICODE(keys)) return NULL;
  const PyDictUnicodeEntry* entries = DK_UNICODE_ENTRIES(keys);
  const uint32_t count = (uint32_t)keys->dk_nentries;
  uint32_t at = *place;
  if (at >= count || entries[at].me_key != name) {
    for (at = 0; at < count && entries[at].me_key != name; ++at) {
    }
    if (at == count) return NULL;
    *place = at;
  }
  const PyDictValues* values = _PyObject_InlineValues(object);
  return at < values->capacity ? values->values[at] : NULL;
}

void* gilscope_instance_value(void* of, void* name, uint32_t* place) {
  PyObject* object = of;
  const unsigned long flags = Py_TYPE(object)->tp_flags;
  if ((flags & Py_TPFLAGS_MANAGED_DICT) == 0) return NULL;
  if ((flags & Py_TPFLAGS_INLINE_VALUES) != 0 && _PyObject_InlineValues(object)->valid) {
    return inline_value(object, name, place);
  }
  PyDictObject* dict = _PyObject_GetManagedDict(object);
  if (dict == NULL || !gilscope_has_text_keys(dict)) return NULL;
  PyObject* value = PyDict_GetItemWithError((PyObject*)dict, name);
  if (value == NULL) PyErr_Clear();
  return value;
}
#else
int gilscope_has_text_keys(void* dict) {
  (void)dict;
  return 0;
}

void* gilscope_instance_value(void* object, void* name, uint32_t* place) {
  (void)object;
  (void)name;
  (void)place;
  return NULL;
}
#endif
