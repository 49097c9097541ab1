/* Does on purpose what the findings are about. Compiled by the tests for each interpreter; it knows
 * nothing of the probe. */
#define _GNU_SOURCE
#include <Python.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 8, PATIENCE_S = 30 };

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void sleep_ms(long ms) {
  const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

/* Waits until the kernel says that the thread sleeps, and goes on doing so. */
static int sleeps(long tid) {
  char path[64];
  int seen = 0;
  snprintf(path, sizeof path, "/proc/self/task/%ld/stat", tid);
  for (const double end = seconds() + PATIENCE_S; seconds() < end;) {
    char line[512] = "";
    FILE* file = fopen(path, "re");
    if (file == NULL) return 0;
    const char* read = fgets(line, sizeof line, file);
    fclose(file);
    const char* after = read != NULL ? strrchr(line, ')') : NULL;
    seen = after != NULL && after[2] == 'S' ? seen + 1 : 0;
    if (seen == 3) return 1;
    sleep_ms(1);
  }
  return 0;
}

/* keep(object, ms): keeps the object's own lock, and the GIL if there is one, and sleeps. */
static PyObject* keep(PyObject* self, PyObject* args) {
  (void)self;
  PyObject* object;
  long ms;
  if (!PyArg_ParseTuple(args, "Ol", &object, &ms)) return NULL;
  Py_BEGIN_CRITICAL_SECTION(object);
  sleep_ms(ms);
  Py_END_CRITICAL_SECTION();
  Py_RETURN_NONE;
}

struct work {
  PyObject* callable;
  long count;
  int attached;
  pthread_barrier_t* together;
};

static void call(PyObject* callable) {
  const PyGILState_STATE entered = PyGILState_Ensure();
  PyObject* result = PyObject_CallNoArgs(callable);
  if (result == NULL) PyErr_WriteUnraisable(callable);
  Py_XDECREF(result);
  PyGILState_Release(entered);
}

static void* call_back(void* data) {
  const struct work* work = data;
  PyGILState_STATE outer = PyGILState_UNLOCKED;
  PyThreadState* state = NULL;
  if (work->attached) {
    outer = PyGILState_Ensure();
    state = PyEval_SaveThread();
  }
  pthread_barrier_wait(work->together);
  for (long i = 0; i < work->count; ++i) call(work->callable);
  if (work->attached) {
    PyEval_RestoreThread(state);
    PyGILState_Release(outer);
  }
  return NULL;
}

/* call(callable, threads, count, attached): that many native threads call it that often each;
 * attached ones keep one thread state all the time, others have a new one for each call. */
static PyObject* call_in_threads(PyObject* self, PyObject* args) {
  (void)self;
  struct work work;
  int threads;
  pthread_barrier_t together;
  pthread_t made[MOST];
  if (!PyArg_ParseTuple(args, "Oilp", &work.callable, &threads, &work.count, &work.attached))
    return NULL;
  if (threads < 1 || threads > MOST) return PyErr_Format(PyExc_ValueError, "%d threads", threads);
  pthread_barrier_init(&together, NULL, (unsigned)threads);
  work.together = &together;
  Py_BEGIN_ALLOW_THREADS;
  for (int i = 0; i < threads; ++i) {
    if (pthread_create(&made[i], NULL, call_back, &work) != 0) abort();
  }
  for (int i = 0; i < threads; ++i) pthread_join(made[i], NULL);
  Py_END_ALLOW_THREADS;
  pthread_barrier_destroy(&together);
  Py_RETURN_NONE;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

struct actor {
  pthread_t thread;
  _Atomic long tid;
  PyInterpreterState* with_gil; /* takes the GIL while it has the mutex */
  sem_t asks;                   /* posted: not before that */
};

static void* lock(void* data) {
  struct actor* actor = data;
  pthread_mutex_lock(&mutex);
  actor->tid = syscall(SYS_gettid);
  sem_wait(&actor->asks);
  if (actor->with_gil != NULL) {
    const PyGILState_STATE entered = PyGILState_Ensure();
    PyGILState_Release(entered);
  }
  pthread_mutex_unlock(&mutex);
  return NULL;
}

static void* want(void* data) {
  struct actor* actor = data;
  actor->tid = syscall(SYS_gettid);
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  return NULL;
}

static int start(struct actor* actor, void* (*body)(void*)) {
  actor->tid = 0;
  sem_init(&actor->asks, 0, 0);
  if (pthread_create(&actor->thread, NULL, body, actor) != 0) return 0;
  while (actor->tid == 0) sched_yield();
  return sleeps(actor->tid);
}

/* lock_then_gil(ms, waiter_first): with the GIL held, one thread takes a mutex and waits for the
 * GIL, another one waits for the mutex, from before that or from after it on; after so many ms the
 * GIL is given up. True if they slept. */
static PyObject* lock_then_gil(PyObject* self, PyObject* args) {
  (void)self;
  long ms;
  int waiter_first;
  if (!PyArg_ParseTuple(args, "lp", &ms, &waiter_first)) return NULL;
  struct actor holder = {.with_gil = PyInterpreterState_Get()};
  struct actor waiter = {.with_gil = NULL};
  int asleep = start(&holder, lock);
  if (waiter_first) asleep &= start(&waiter, want);
  sem_post(&holder.asks);
  asleep &= sleeps(holder.tid);
  if (!waiter_first) asleep &= start(&waiter, want);
  sleep_ms(ms);
  Py_BEGIN_ALLOW_THREADS;
  pthread_join(holder.thread, NULL);
  pthread_join(waiter.thread, NULL);
  Py_END_ALLOW_THREADS;
  return PyBool_FromLong(asleep);
}

struct mover {
  pthread_t thread;
  long n;
};

static void* move(void* data) {
  const struct mover* mover = data;
  for (long i = 0; i < mover->n; ++i) {
    pthread_mutex_lock(&mutex);
    for (volatile int turn = 0; turn < 300; ++turn) {
    }
    pthread_mutex_unlock(&mutex);
    const PyGILState_STATE entered = PyGILState_Ensure();
    PyObject* number = PyLong_FromLong(i + 1000);
    Py_XDECREF(number);
    PyGILState_Release(entered);
  }
  return NULL;
}

/* lock_and_gil(n): two threads take a mutex, give it back and take the GIL, n times each. */
static PyObject* lock_and_gil(PyObject* self, PyObject* args) {
  (void)self;
  struct mover movers[2];
  long n;
  if (!PyArg_ParseTuple(args, "l", &n)) return NULL;
  Py_BEGIN_ALLOW_THREADS;
  for (int i = 0; i < 2; ++i) {
    movers[i].n = n;
    pthread_create(&movers[i].thread, NULL, move, &movers[i]);
  }
  for (int i = 0; i < 2; ++i) pthread_join(movers[i].thread, NULL);
  Py_END_ALLOW_THREADS;
  Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"call", call_in_threads, METH_VARARGS, NULL},
    {"keep", keep, METH_VARARGS, NULL},
    {"lock_and_gil", lock_and_gil, METH_VARARGS, NULL},
    {"lock_then_gil", lock_then_gil, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "findings_stage",
                                    .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC PyInit_findings_stage(void) { return PyModuleDef_Init(&module); }
