/* Libraries that come and go: constructors that load others, and code that is gone after its wait.
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>

#include "hostile.h"

struct errand {
  const char* directory;
  int first, step, n;
};

static void* load_some(void* argument) {
  const struct errand* errand = argument;
  char path[4096];
  for (int i = errand->first; i < errand->n; i += errand->step) {
    snprintf(path, sizeof path, "%s/leaf%d.so", errand->directory, i);
    void* handle = dlopen(path, RTLD_NOW);
    if (handle != NULL && i % 3 == 0) dlclose(handle);
  }
  return NULL;
}

/* load_all(directory, n): three native threads load leaf0.so and on, whose constructors load. */
static PyObject* load_all(PyObject* self, PyObject* args) {
  const char* directory;
  int n;
  (void)self;
  if (!PyArg_ParseTuple(args, "si", &directory, &n)) return NULL;
  Py_BEGIN_ALLOW_THREADS;
  pthread_t threads[3];
  struct errand errands[3];
  for (int i = 0; i < 3; ++i) {
    errands[i] = (struct errand){directory, i, 3, n};
    threads[i] = hostile_spawn(load_some, &errands[i]);
  }
  for (int i = 0; i < 3; ++i) pthread_join(threads[i], NULL);
  Py_END_ALLOW_THREADS;
  Py_RETURN_NONE;
}

/* Loaders that the probe can only find by looking again. */
static void* (*volatile loader)(const char*, int);

/* load_hidden(path): by a pointer to dlopen from dlsym, and into a namespace of its own. */
static PyObject* load_hidden(PyObject* self, PyObject* args) {
  const char* path;
  int loaded = 0;
  (void)self;
  if (!PyArg_ParseTuple(args, "s", &path)) return NULL;
  loader = (void* (*)(const char*, int))dlsym(RTLD_DEFAULT, "dlopen");
  Py_BEGIN_ALLOW_THREADS;
  void* handle = loader(path, RTLD_NOW);
  if (handle != NULL) {
    ++loaded;
    dlclose(handle);
  }
  Py_END_ALLOW_THREADS;
  return PyLong_FromLong(loaded);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_int waits;

struct visit {
  int (*wait)(pthread_mutex_t*, atomic_int*);
};

static void* visit(void* argument) {
  const struct visit* visit = argument;
  visit->wait(&mutex, &waits);
  pthread_mutex_unlock(&mutex);
  return NULL;
}

/* unload_waiting(path, pause_us): a thread waits, called from a library that is unloaded meanwhile.
   The library has left its own code by then: its call of pthread_mutex_lock is a jump. */
static PyObject* unload_waiting(PyObject* self, PyObject* args) {
  const char* path;
  long pause_us;
  (void)self;
  if (!PyArg_ParseTuple(args, "sl", &path, &pause_us)) return NULL;
  Py_BEGIN_ALLOW_THREADS;
  void* handle = dlopen(path, RTLD_NOW);
  struct visit errand = {(int (*)(pthread_mutex_t*, atomic_int*))dlsym(handle, "wait_by_jump")};
  atomic_store(&waits, 0);
  pthread_mutex_lock(&mutex);
  const pthread_t thread = hostile_spawn(visit, &errand);
  while (!atomic_load(&waits)) hostile_sleep_us(20);
  hostile_sleep_us(2000 + pause_us);
  dlclose(handle);
  hostile_sleep_us(pause_us);
  pthread_mutex_unlock(&mutex);
  pthread_join(thread, NULL);
  Py_END_ALLOW_THREADS;
  Py_RETURN_NONE;
}

PyMethodDef hostile_loading[] = {
    {"load_all", load_all, METH_VARARGS, NULL},
    {"load_hidden", load_hidden, METH_VARARGS, NULL},
    {"unload_waiting", unload_waiting, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
