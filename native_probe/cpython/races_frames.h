/* What the race detector reads of the frame that is about to execute an instruction. Compiled as C
 * against the internal headers; nothing here takes a reference, allocates or blocks. */
#ifndef GILSCOPE_RACES_FRAMES_H
#define GILSCOPE_RACES_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A frame as far as it tells a stack from others. The same layout as races::RawFrame. */
struct gilscope_raw_frame {
  const void* frame;
  const void* code;
  const void* instruction;
};

struct gilscope_operands {
  const void* frame;
  const uintptr_t* locals; /* variables, cells, then the operand stack */
  void* globals;
  void* names; /* where LOAD_NAME looks first; NULL in functions */
};

/* Of the running frame, if it runs this code; else 0. A thread state must be attached. */
int gilscope_operands_of(const void* code, struct gilscope_operands* operands);

/* The object of a place on the operand stack; NULL where there is none. */
static inline void* gilscope_object_at(uintptr_t word) {
  /* No NULL: C++ reads this, too. */
  return (void*)((word & 3) == 3 ? 0 : word & ~(uintptr_t)3);
}

/* The innermost frame of the running thread that runs code; NULL if there is none. */
const void* gilscope_running_frame(void);
/* Frames from `frame` on, the innermost first; at most `capacity`. Returns how many. */
size_t gilscope_raw_stack(const void* frame, struct gilscope_raw_frame* frames, size_t capacity);
/* Whether a stack from `frame` on would be these, the innermost one's instruction apart. */
int gilscope_is_raw_stack(const void* frame, const struct gilscope_raw_frame* frames, size_t count,
                          size_t capacity);
/* Which instruction of its code a frame is at, in units of 2 bytes; -1 unknown. */
long gilscope_unit_of(const void* frame);

/* What an iterator goes over; NULL if it is none of list, dict and set, or has ended. */
void* gilscope_iterated(void* iterator);

/* The value of an instance variable, borrowed; NULL: it has none, or it cannot be told. `place` is
 * where it was found last. Under the GIL only. */
void* gilscope_instance_value(void* object, void* name, uint32_t* place);

/* Whether the keys of a dict are str, all of them: then a look at one calls no code. */
int gilscope_has_text_keys(void* dict);

/* The dict that a view of one shows. */
void* gilscope_viewed(void* view);

#ifdef __cplusplus
}
#endif
#endif
