/* Threads at their end, threads that outlive the interpreter, and handlers on stacks of their own.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "hostile.h"

static pthread_mutex_t shared = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_int destroyed;

/* Runs when the thread ends, again for as long as it sets a value: takes locks and calls Python. */
static void destroy(void* value) {
  const intptr_t left = (intptr_t)value;
  pthread_mutex_lock(&shared);
  hostile_sleep_us(20);
  pthread_mutex_unlock(&shared);
  PyGILState_STATE state = PyGILState_Ensure();
  PyRun_SimpleString("sum(range(10))");
  PyGILState_Release(state);
  atomic_fetch_add(&destroyed, 1);
  if (left > 1) pthread_setspecific(key, (void*)(left - 1));
}

static void make_key(void) { pthread_key_create(&key, destroy); }

static void* end_slowly(void* argument) {
  pthread_setspecific(key, (void*)3);
  PyGILState_STATE state = PyGILState_Ensure();
  PyRun_SimpleString("sum(range(10))");
  PyGILState_Release(state);
  return argument;
}

/* slow_ends(n): n threads whose thread-specific data ends by taking locks; how often that ran. */
static PyObject* slow_ends(PyObject* self, PyObject* args) {
  int n;
  (void)self;
  if (!PyArg_ParseTuple(args, "i", &n)) return NULL;
  pthread_once(&once, make_key);
  atomic_store(&destroyed, 0);
  Py_BEGIN_ALLOW_THREADS;
  for (int done = 0; done < n; done += 4) {
    pthread_t threads[4];
    for (int i = 0; i < 4; ++i) threads[i] = hostile_spawn(end_slowly, NULL);
    for (int i = 0; i < 4; ++i) pthread_join(threads[i], NULL);
  }
  Py_END_ALLOW_THREADS;
  return PyLong_FromLong(atomic_load(&destroyed));
}

static void* never_end(void* argument) {
  for (;;) {
    PyGILState_STATE state = PyGILState_Ensure();
    PyRun_SimpleString("sum(range(100))");
    PyGILState_Release(state);
    pthread_mutex_lock(&shared);
    pthread_mutex_unlock(&shared);
  }
  return argument;
}

/* outlive(n): n native threads that call Python for as long as the process lives. */
static PyObject* outlive(PyObject* self, PyObject* args) {
  int n;
  (void)self;
  if (!PyArg_ParseTuple(args, "i", &n)) return NULL;
  for (int i = 0; i < n; ++i) pthread_detach(hostile_spawn(never_end, NULL));
  Py_RETURN_NONE;
}

static atomic_long signals;

static void handle(int number) {
  char buffer[512];
  (void)number;
  memset(buffer, 1, sizeof buffer);
  atomic_fetch_add(&signals, buffer[17]);
}

/* rain(period_us): SIGPROF and SIGALRM that often, handled on the thread's alternative stack. */
static PyObject* rain(PyObject* self, PyObject* args) {
  long period_us;
  (void)self;
  if (!PyArg_ParseTuple(args, "l", &period_us)) return NULL;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handle;
  action.sa_flags = SA_ONSTACK | SA_RESTART;
  sigaction(SIGPROF, &action, NULL);
  sigaction(SIGALRM, &action, NULL);
  const struct itimerval every = {{0, period_us}, {0, period_us}};
  setitimer(ITIMER_REAL, &every, NULL);
  setitimer(ITIMER_PROF, &every, NULL);
  return PyLong_FromLong(atomic_load(&signals));
}

/* own_signal_stack(): this thread's handlers run on a stack of their own, as small as can be. */
static PyObject* own_signal_stack(PyObject* self, PyObject* args) {
  (void)self;
  (void)args;
  const size_t size = (size_t)sysconf(_SC_MINSIGSTKSZ) + 4096;
  const stack_t stack = {.ss_sp = malloc(size), .ss_size = size};
  return PyBool_FromLong(sigaltstack(&stack, NULL) == 0);
}

PyMethodDef hostile_exits[] = {
    {"slow_ends", slow_ends, METH_VARARGS, NULL},
    {"outlive", outlive, METH_VARARGS, NULL},
    {"rain", rain, METH_VARARGS, NULL},
    {"own_signal_stack", own_signal_stack, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
