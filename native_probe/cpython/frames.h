/* The calling thread's own Python frames. frames.c is compiled as C against the internal headers.
 *
 * A thread may look at its own frames at any time, attached or not: only it links and unlinks them,
 * every frame that is linked is whole, and a frame keeps its code object and its function alive.
 * Nothing here takes a reference, allocates, or looks at another thread's frames. */
#ifndef GILSCOPE_FRAMES_H
#define GILSCOPE_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* NULL, or the first field that is not where the headers have it. */
const char* gilscope_frames_mismatch(void);

/* The innermost frame of the thread state that this thread holds or last held. NULL: there is none,
 * or it cannot be proved to be this thread's. `watched`: whether the code objects of its
 * interpreter are, see below. */
const void* gilscope_innermost_frame(int* watched);
/* The one that called it; NULL after the outermost. Frames of the interpreter's own are left out.
 */
const void* gilscope_calling_frame(const void* frame);

/* Begins to hear of code objects that are destroyed, so that an address stands for one of them
 * only. A thread state must be attached. 0 when that cannot be had. */
int gilscope_watch_codes(void);
void gilscope_unwatch_codes(void);

/* A hash of up to `capacity` frames from `frame` on and of where each of them is. Another one for
 * another code object at the same address, if codes are watched. */
uint64_t gilscope_hash_frames(const void* frame, size_t capacity, uint64_t seed);
/* A hash of the frame's code object, in the same way. From now on its end counts. */
uint64_t gilscope_hash_code(const void* frame);

struct gilscope_place {
  const void* name; /* strings: qualified name, file, the function's module or NULL */
  const void* file;
  const void* module;
  uint32_t first_line;
  uint32_t line; /* 0 unknown */
};
/* 0 when the frame has not begun to run its function yet. */
int gilscope_place_of(const void* frame, struct gilscope_place* place);

/* The number of the instruction that a frame is at, in units of 2 bytes; -1 unknown. */
long gilscope_frame_unit(const void* frame);

/* The line of an instruction, by the table of its code that ends at `end`; 0 unknown. */
uint32_t gilscope_line_at(const unsigned char* table, const unsigned char* end, int first_line,
                          long unit);

/* The UTF-8 of a string that a frame keeps alive, and its length: the string's own bytes or, cut at
 * `capacity`, the buffer. */
const char* gilscope_text(const void* string, char* buffer, size_t capacity, size_t* length);
/* The same for a string that may be freed at any time: ASCII of at most `capacity` bytes, copied.
 * 0 when it is none, or gone. */
size_t gilscope_copy_text(uintptr_t string, char* buffer, size_t capacity);

/* Copies memory that may not be there any more; 0 when it is not. */
int gilscope_copy(void* to, uintptr_t from, size_t size);

#ifdef __cplusplus
}
#endif
#endif
