/* Keeps the lock of the interpreter's list of interpreters. It knows nothing of the probe. */
#define _GNU_SOURCE
#define Py_BUILD_CORE 1
#include <Python.h>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "internal/pycore_runtime.h"

static sem_t kept;

/* A thread without a state of Python's: it waits for no GIL. */
static void* run(void* ms) {
  PyMutex_Lock(&_PyRuntime.interpreters.mutex);
  sem_post(&kept);
  usleep((useconds_t)(long)ms * 1000);
  PyMutex_Unlock(&_PyRuntime.interpreters.mutex);
  return NULL;
}

/* keep(ms): returns as soon as another thread has the lock. */
static PyObject* keep(PyObject* self, PyObject* ms) {
  (void)self;
  pthread_t thread;
  if (sem_init(&kept, 0, 0) != 0 ||
      pthread_create(&thread, NULL, run, (void*)PyLong_AsLong(ms)) != 0) {
    return PyErr_SetFromErrno(PyExc_OSError);
  }
  pthread_detach(thread);
  Py_BEGIN_ALLOW_THREADS;
  sem_wait(&kept);
  Py_END_ALLOW_THREADS;
  Py_RETURN_NONE;
}

static PyMethodDef methods[] = {{"keep", keep, METH_O, NULL}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {
    .m_base = PyModuleDef_HEAD_INIT, .m_name = "interpreters_lock", .m_methods = methods};

PyMODINIT_FUNC PyInit_interpreters_lock(void) {
  PyObject* made = PyModule_Create(&module);
#ifdef Py_GIL_DISABLED
  if (made != NULL) PyUnstable_Module_SetGIL(made, Py_MOD_GIL_NOT_USED);
#endif
  return made;
}
