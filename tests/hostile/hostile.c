/* A module whose functions do to threads, states and processes what is allowed and seldom done. */
#include "hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void hostile_sleep_us(long microseconds) {
  struct timespec time = {microseconds / 1000000, microseconds % 1000000 * 1000};
  while (nanosleep(&time, &time) != 0) {
  }
}

pthread_t hostile_spawn(void* (*run)(void*), void* argument) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, run, argument) != 0) {
    fputs("no thread can be made\n", stderr);
    abort();
  }
  return thread;
}

static int add(PyObject* module) {
  PyMethodDef* parts[] = {hostile_states, hostile_leaving, hostile_processes, hostile_exits,
                          hostile_loading};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i) {
    if (PyModule_AddFunctions(module, parts[i]) < 0) return -1;
  }
  return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, add},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, NULL},
};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "hostile", .m_slots = slots};

PyMODINIT_FUNC PyInit_hostile(void) { return PyModuleDef_Init(&definition); }
