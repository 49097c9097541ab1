/* Thread states and waits that end otherwise than by their own thread's return. Compiled by the
 * tests for each interpreter; it knows nothing of the probe. */
#define _GNU_SOURCE
#include <Python.h>
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000, MUTEX_MS = 5 };

static void sleep_ms(long ms) {
  const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

/* Waits until the kernel says that the thread sleeps, and goes on doing so. */
static int sleeps(long tid) {
  char path[64];
  int seen = 0;
  snprintf(path, sizeof path, "/proc/self/task/%ld/stat", tid);
  for (int i = 0; i < PATIENCE_MS && seen < 3; ++i) {
    char line[512] = "";
    FILE* file = fopen(path, "re");
    if (file == NULL) return 0;
    const char* read = fgets(line, sizeof line, file);
    fclose(file);
    const char* after = read != NULL ? strrchr(line, ')') : NULL;
    seen = after != NULL && after[2] == 'S' ? seen + 1 : 0;
    sleep_ms(1);
  }
  return seen == 3;
}

/* --- Thread states that others take ------------------------------------------------------------
 */

struct thief {
  PyInterpreterState* interp;
  PyThreadState* state;
  PyThread_type_lock lock;
  PyMutex mutex;
  _Atomic long tid;
  _Atomic int step;
};

static void reach(struct thief* thief, int step) {
  while (thief->step < step) sleep_ms(1);
}

/* Attaches a thread state, leaves it, and waits for locks of the interpreter's after it is gone. */
static void* left_behind(void* data) {
  struct thief* thief = data;
  thief->tid = syscall(SYS_gettid);
  if (thief->state == NULL) thief->state = PyThreadState_New(thief->interp);
  PyEval_AcquireThread(thief->state);
  PyEval_ReleaseThread(thief->state);
  thief->step = 1;
  reach(thief, 2);
  PyThread_acquire_lock(thief->lock, WAIT_LOCK);
  PyThread_release_lock(thief->lock);
  thief->step = 3;
  reach(thief, 4);
  PyMutex_Lock(&thief->mutex);
  PyMutex_Unlock(&thief->mutex);
  return NULL;
}

/* The memory of a thread state that was freed belongs to something else at once. */
static void take_memory(size_t size) {
  for (int i = 0; i < 4; ++i) {
    void* taken = malloc(size);
    if (taken != NULL) memset(taken, 0x5A, size);
  }
}

static void delete_state(struct thief* thief) {
  const size_t size = malloc_usable_size(thief->state);
  PyThreadState_Clear(thief->state);
  PyThreadState_Delete(thief->state);
  take_memory(size);
}

/* An interpreter that is deleted takes all of its thread states with it. */
static void delete_interpreter(struct thief* thief) {
  const size_t size = malloc_usable_size(thief->state);
  PyThreadState* own = PyThreadState_Get();
  PyThreadState_Swap(thief->state);
  PyInterpreterState_Clear(thief->interp);
  PyThreadState_Swap(NULL);
  PyInterpreterState_Delete(thief->interp);
  PyThreadState_Swap(own);
  take_memory(size);
}

/* Another thread runs Python code with it, for as long as the first one waits. */
static void run_with(struct thief* thief) {
  PyThreadState* own = PyThreadState_Swap(thief->state);
  PyRun_SimpleString("[f() for f in [lambda: [str(i) for i in range(200)]] * 200]");
  PyThreadState_Swap(own);
}

static int play(struct thief* thief, void (*take)(struct thief*)) {
  pthread_t thread;
  int asleep = 0;
  thief->lock = PyThread_allocate_lock();
  PyThread_acquire_lock(thief->lock, WAIT_LOCK);
  PyMutex_Lock(&thief->mutex);
  pthread_create(&thread, NULL, left_behind, thief);
  Py_BEGIN_ALLOW_THREADS;
  reach(thief, 1);
  Py_END_ALLOW_THREADS;
  if (take != run_with) take(thief);
  thief->step = 2;
  if (take == run_with) take(thief);
  asleep += sleeps(thief->tid);
  PyThread_release_lock(thief->lock);
  Py_BEGIN_ALLOW_THREADS;
  reach(thief, 3);
  Py_END_ALLOW_THREADS;
  thief->step = 4;
  if (take == run_with) take(thief);
  asleep += sleeps(thief->tid);
  PyMutex_Unlock(&thief->mutex);
  Py_BEGIN_ALLOW_THREADS;
  pthread_join(thread, NULL);
  Py_END_ALLOW_THREADS;
  PyThread_free_lock(thief->lock);
  if (take == run_with) delete_state(thief);
  return asleep == 2;
}

/* taken(how): a thread waits whose thread state was taken by another one. True if it slept. */
static PyObject* taken(PyObject* self, PyObject* args) {
  (void)self;
  const char* how;
  if (!PyArg_ParseTuple(args, "s", &how)) return NULL;
  struct thief thief = {.interp = PyInterpreterState_Get()};
  if (strcmp(how, "deleted") == 0) return PyBool_FromLong(play(&thief, delete_state));
  if (strcmp(how, "used") == 0) return PyBool_FromLong(play(&thief, run_with));
  PyThreadState* own = PyThreadState_Get();
  PyThreadState* made = Py_NewInterpreter();
  thief.interp = PyThreadState_GetInterpreter(made);
  thief.state = made;
  PyThreadState_Swap(own);
  return PyBool_FromLong(play(&thief, delete_interpreter));
}

/* --- Waits that are left -----------------------------------------------------------------------
 */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static PyThread_type_lock thread_lock;
static _Atomic long waiter;
static __thread sigjmp_buf outside;

static void unlock(void* data) { pthread_mutex_unlock(data); }

static void* wait_for_lock(void* data) {
  (void)data;
  waiter = syscall(SYS_gettid);
  PyThread_acquire_lock(thread_lock, WAIT_LOCK);
  return NULL;
}

static void* wait_for_condition(void* data) {
  pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&own);
  pthread_cleanup_push(unlock, &own);
  waiter = syscall(SYS_gettid);
  for (;;) pthread_cond_wait(&never, &own);
  pthread_cleanup_pop(0);
  return data;
}

/* cancelled(what, n): n threads are cancelled while they wait; then one more waits for the lock, and
 * gets it. How many were cancelled, and the tid of the last one. */
static PyObject* cancelled(PyObject* self, PyObject* args) {
  (void)self;
  const char* what;
  long n;
  long count = 0;
  if (!PyArg_ParseTuple(args, "sl", &what, &n)) return NULL;
  void* (*body)(void*) = strcmp(what, "lock") == 0 ? wait_for_lock : wait_for_condition;
  thread_lock = PyThread_allocate_lock();
  PyThread_acquire_lock(thread_lock, WAIT_LOCK);
  Py_BEGIN_ALLOW_THREADS;
  for (long i = 0; i < n; ++i) {
    pthread_t thread;
    void* result = NULL;
    waiter = 0;
    pthread_create(&thread, NULL, body, NULL);
    while (waiter == 0) sleep_ms(1);
    sleeps(waiter);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    count += result == PTHREAD_CANCELED;
  }
  pthread_t last;
  waiter = 0;
  pthread_create(&last, NULL, wait_for_lock, NULL);
  while (waiter == 0) sleep_ms(1);
  sleeps(waiter);
  PyThread_release_lock(thread_lock);
  pthread_join(last, NULL);
  Py_END_ALLOW_THREADS;
  PyThread_free_lock(thread_lock);
  return Py_BuildValue("ll", count, (long)waiter);
}

static void jump(int number) {
  (void)number;
  siglongjmp(outside, 1);
}

static void leave_thread(int number) {
  (void)number;
  pthread_exit(NULL);
}

static sem_t semaphore;

static void* wait_and_jump(void* data) {
  const int deep = data != NULL;
  waiter = syscall(SYS_gettid);
  if (sigsetjmp(outside, 1) == 0) {
    if (deep) {
      PyThread_acquire_lock(thread_lock, WAIT_LOCK);
    } else {
      pthread_mutex_lock(&mutex);
    }
    return NULL;
  }
  /* It is seen to wait again, once it has left the first wait behind. */
  waiter = 0;
  sem_post(&semaphore);
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  return data;
}

/* jumped(what): a signal handler jumps out of a wait for a lock, and the thread waits again, for a
 * mutex. Its tid. */
static PyObject* jumped(PyObject* self, PyObject* args) {
  (void)self;
  const char* what;
  pthread_t thread;
  struct sigaction old;
  struct sigaction jumps = {.sa_handler = jump};
  if (!PyArg_ParseTuple(args, "s", &what)) return NULL;
  const int deep = strcmp(what, "lock") == 0;
  thread_lock = PyThread_allocate_lock();
  PyThread_acquire_lock(thread_lock, WAIT_LOCK);
  sem_init(&semaphore, 0, 0);
  sigaction(SIGUSR2, &jumps, &old);
  waiter = 0;
  long tid = 0;
  Py_BEGIN_ALLOW_THREADS;
  pthread_mutex_lock(&mutex);
  pthread_create(&thread, NULL, wait_and_jump, deep ? &mutex : NULL);
  while ((tid = waiter) == 0) sleep_ms(1);
  sleeps(tid);
  pthread_kill(thread, SIGUSR2);
  sem_wait(&semaphore);
  sleeps(tid);
  pthread_mutex_unlock(&mutex);
  pthread_join(thread, NULL);
  Py_END_ALLOW_THREADS;
  sigaction(SIGUSR2, &old, NULL);
  PyThread_release_lock(thread_lock);
  PyThread_free_lock(thread_lock);
  return PyLong_FromLong(tid);
}

/* exited(): a signal handler ends a thread that waits for a mutex, and one for a lock. */
static PyObject* exited(PyObject* self, PyObject* args) {
  (void)self, (void)args;
  struct sigaction old;
  struct sigaction exits = {.sa_handler = leave_thread};
  thread_lock = PyThread_allocate_lock();
  PyThread_acquire_lock(thread_lock, WAIT_LOCK);
  sigaction(SIGUSR2, &exits, &old);
  Py_BEGIN_ALLOW_THREADS;
  pthread_t thread;
  waiter = 0;
  pthread_create(&thread, NULL, wait_for_lock, NULL);
  while (waiter == 0) sleep_ms(1);
  sleeps(waiter);
  pthread_kill(thread, SIGUSR2);
  pthread_join(thread, NULL);
  Py_END_ALLOW_THREADS;
  sigaction(SIGUSR2, &old, NULL);
  PyThread_release_lock(thread_lock);
  PyThread_free_lock(thread_lock);
  Py_RETURN_NONE;
}

/* --- Signals on a stack of their own, all the time ---------------------------------------------
 */

static pthread_mutex_t in_handler = PTHREAD_MUTEX_INITIALIZER;
static _Atomic long handled;
static _Atomic int wrong_errno;
static _Atomic int going;

static void handle(int number) {
  (void)number;
  const int error = errno;
  if (pthread_mutex_trylock(&in_handler) == 0) {
    pthread_mutex_unlock(&in_handler);
  } else {
    const struct timespec now = {1, 0};
    pthread_mutex_timedlock(&in_handler, &now); /* asks for longer than no time */
  }
  ++handled;
  errno = error;
}

static void* storm(void* data) {
  const pthread_t* threads = data;
  while (going) {
    for (int i = 0; i < 2; ++i) pthread_kill(threads[i], SIGUSR2);
    sleep_ms(1);
  }
  return NULL;
}

static pthread_mutex_t shared = PTHREAD_MUTEX_INITIALIZER;

static void* be_interrupted(void* data) {
  const long n = *(const long*)data;
  char* stack = malloc(SIGSTKSZ * 4);
  const stack_t alternate = {.ss_sp = stack, .ss_size = SIGSTKSZ * 4};
  sigaltstack(&alternate, NULL);
  for (long i = 0; i < n; ++i) {
    errno = 77;
    pthread_mutex_lock(&shared);
    pthread_mutex_unlock(&shared);
    if (errno != 77) wrong_errno = errno;
    const PyGILState_STATE entered = PyGILState_Ensure();
    PyErr_CheckSignals();
    PyObject* list = PyList_New(3);
    Py_XDECREF(list);
    PyGILState_Release(entered);
  }
  const stack_t none = {.ss_flags = SS_DISABLE};
  sigaltstack(&none, NULL);
  free(stack);
  return NULL;
}

/* interrupted(n): two threads take a mutex and the GIL n times each while signals rain on them.
 * (how many were handled, errno where it changed or 0). */
static PyObject* interrupted(PyObject* self, PyObject* args) {
  (void)self;
  long n;
  if (!PyArg_ParseTuple(args, "l", &n)) return NULL;
  struct sigaction old;
  struct sigaction handles = {.sa_handler = handle, .sa_flags = SA_ONSTACK | SA_RESTART};
  sigaction(SIGUSR2, &handles, &old);
  handled = wrong_errno = 0;
  going = 1;
  Py_BEGIN_ALLOW_THREADS;
  pthread_t threads[3];
  for (int i = 0; i < 2; ++i) pthread_create(&threads[i], NULL, be_interrupted, &n);
  pthread_create(&threads[2], NULL, storm, threads);
  sleep_ms(20);
  going = 0;
  pthread_join(threads[2], NULL);
  for (int i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
  Py_END_ALLOW_THREADS;
  sigaction(SIGUSR2, &old, NULL);
  return Py_BuildValue("li", (long)handled, (int)wrong_errno);
}

/* --- Threads that end with work left for their destructors -------------------------------------
 */

static pthread_key_t keys[2];
static _Atomic long destroyed;

static void destroy(void* data) {
  pthread_mutex_lock(&shared);
  sleep_ms(1);
  pthread_mutex_unlock(&shared);
  const PyGILState_STATE entered = PyGILState_Ensure();
  PyObject* result = PyObject_CallNoArgs(data);
  if (result == NULL) PyErr_Clear();
  Py_XDECREF(result);
  PyGILState_Release(entered);
  ++destroyed;
  /* Others come later, and ask for another round. */
  static __thread int rounds = 0;
  if (++rounds < 5) pthread_setspecific(keys[1], data);
}

static void* die(void* data) {
  pthread_setspecific(keys[0], data);
  pthread_setspecific(keys[1], data);
  return NULL;
}

/* last_rites(callable, n): n threads end whose destructors take a lock and call it. How many ran. */
static PyObject* last_rites(PyObject* self, PyObject* args) {
  (void)self;
  PyObject* callable;
  int n;
  if (!PyArg_ParseTuple(args, "Oi", &callable, &n)) return NULL;
  destroyed = 0;
  for (int i = 0; i < 2; ++i) pthread_key_create(&keys[i], destroy);
  Py_BEGIN_ALLOW_THREADS;
  for (int i = 0; i < n; ++i) {
    pthread_t threads[2];
    for (int j = 0; j < 2; ++j) pthread_create(&threads[j], NULL, die, callable);
    for (int j = 0; j < 2; ++j) pthread_join(threads[j], NULL);
  }
  Py_END_ALLOW_THREADS;
  for (int i = 0; i < 2; ++i) pthread_key_delete(keys[i]);
  return PyLong_FromLong(destroyed);
}

static PyMethodDef methods[] = {
    {"cancelled", cancelled, METH_VARARGS, NULL}, {"exited", exited, METH_NOARGS, NULL},
    {"interrupted", interrupted, METH_VARARGS, NULL}, {"jumped", jumped, METH_VARARGS, NULL},
    {"last_rites", last_rites, METH_VARARGS, NULL}, {"taken", taken, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "departures_stage",
                                    .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC PyInit_departures_stage(void) { return PyModuleDef_Init(&module); }
