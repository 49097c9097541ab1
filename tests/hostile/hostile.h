/* What the parts of the module share. */
#ifndef GILSCOPE_TESTS_HOSTILE_H
#define GILSCOPE_TESTS_HOSTILE_H

#include <Python.h>
#include <pthread.h>

/* Sleeps, with or without the GIL. */
void hostile_sleep_us(long microseconds);
/* Starts a native thread; ends the process when it cannot be made. */
pthread_t hostile_spawn(void* (*run)(void*), void* argument);

extern PyMethodDef hostile_states[];
extern PyMethodDef hostile_leaving[];
extern PyMethodDef hostile_processes[];
extern PyMethodDef hostile_exits[];
extern PyMethodDef hostile_loading[];

#endif
