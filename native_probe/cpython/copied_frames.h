/* Python frames read by way of the kernel, so that it does no harm if they go meanwhile: those of a
 * thread that sleeps, and of the calling one where it was interrupted anywhere. */
#ifndef GILSCOPE_COPIED_FRAMES_H
#define GILSCOPE_COPIED_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Texts are UTF-8 without an end mark; a length of 0: unknown, or not ASCII, or too long. */
struct gilscope_copied_frame {
  uint32_t first_line;
  uint32_t line; /* 0 unknown */
  uint32_t name_length;
  uint32_t file_length;
  uint32_t module_length;
  char name[160];
  char file[512];
  char module[96];
};

/* For whoever has the only one, see below. */
struct gilscope_frame_copies {
  size_t count;
  struct gilscope_copied_frame frames[24];
  unsigned char lines[1 << 15];
};

/* NULL while another thread has it. It must be given back. */
struct gilscope_frame_copies* gilscope_take_frame_copies(void);
void gilscope_give_back_frame_copies(void);

/* The innermost frames of a thread state. Whether they were frames is for the caller to prove, from
 * the thread not having run meanwhile. */
void gilscope_copy_frames(const void* state, struct gilscope_frame_copies* copies);

#ifdef __cplusplus
}
#endif
#endif
