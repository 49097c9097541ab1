/* Holds and waits whose lengths are known from both sides: a time stamp right inside and one right
 * outside of each. Two native threads take turns with the GIL; nobody else wants it. */
#include <Python.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void busy(int64_t ns) {
  int64_t end = now() + ns;
  while (now() < end) {
  }
}

struct turns {
  long count;
  int64_t hold_ns;
  int64_t hold_inner, hold_outer; /* sums over all turns, ns */
  int64_t wait_inner, wait_outer;
  atomic_int turn;  /* 2i: the holder's i-th, 2i+1: the i-th is held and the waiter may ask */
  atomic_int asked; /* the waiter's i-th request is about to come */
  pid_t holder, waiter;
};

static void await(struct turns* t, int turn) {
  while (atomic_load(&t->turn) != turn) usleep(50);
}

/* Whether a thread of this process sleeps. */
static int asleep(pid_t tid) {
  char path[48];
  char line[512] = "";
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
  FILE* file = fopen(path, "r");
  if (file == NULL) return 0;
  if (fgets(line, sizeof line, file) == NULL) line[0] = 0;
  fclose(file);
  const char* state = strrchr(line, ')');
  return state != NULL && state[1] == ' ' && state[2] == 'S';
}

/* The holder takes the GIL, lets the waiter ask for it, computes, and gives it up. */
static void* hold(void* data) {
  struct turns* t = data;
  t->holder = (pid_t)syscall(SYS_gettid);
  PyGILState_STATE state = PyGILState_Ensure();
  PyThreadState* tstate = PyEval_SaveThread();
  for (long i = 0; i < t->count; ++i) {
    await(t, (int)(2 * i));
    int64_t outer = now();
    PyEval_RestoreThread(tstate);
    int64_t inner = now();
    atomic_store(&t->turn, (int)(2 * i + 1));
    /* After that there is nothing but the GIL that it sleeps for. */
    while (atomic_load(&t->asked) != (int)i + 1 || !asleep(t->waiter)) {
    }
    int64_t slept = now();
    busy(t->hold_ns);
    int64_t end = now();
    tstate = PyEval_SaveThread();
    t->hold_inner += end - inner;
    /* Whoever is asleep has begun to wait; when it asked, the waiter may have lost its processor on
     * the way there. */
    t->wait_inner += end - slept;
    t->hold_outer += now() - outer;
  }
  await(t, (int)(2 * t->count));
  PyEval_RestoreThread(tstate);
  PyGILState_Release(state);
  return NULL;
}

static void* ask(void* data) {
  struct turns* t = data;
  t->waiter = (pid_t)syscall(SYS_gettid);
  PyGILState_STATE state = PyGILState_Ensure();
  PyThreadState* tstate = PyEval_SaveThread();
  atomic_store(&t->turn, 0);
  for (long i = 0; i < t->count; ++i) {
    await(t, (int)(2 * i + 1));
    int64_t request = now();
    atomic_store(&t->asked, (int)i + 1);
    PyEval_RestoreThread(tstate);
    int64_t got = now();
    tstate = PyEval_SaveThread();
    /* It cannot have waited for more than from `request` until it was back. */
    t->wait_outer += got - request;
    atomic_store(&t->turn, (int)(2 * i + 2));
  }
  PyEval_RestoreThread(tstate);
  PyGILState_Release(state);
  return NULL;
}

/* turns(count, hold_ns) -> (hold_inner, hold_outer, wait_inner, wait_outer, holder tid, waiter tid)
 */
static PyObject* turns(PyObject* self, PyObject* args) {
  struct turns t = {.turn = -1};
  long long hold_ns = 0;
  if (!PyArg_ParseTuple(args, "lL", &t.count, &hold_ns)) return NULL;
  t.hold_ns = hold_ns;
  pthread_t threads[2];
  Py_BEGIN_ALLOW_THREADS;
  pthread_create(&threads[0], NULL, hold, &t);
  pthread_create(&threads[1], NULL, ask, &t);
  pthread_join(threads[0], NULL);
  pthread_join(threads[1], NULL);
  Py_END_ALLOW_THREADS;
  return Py_BuildValue("LLLLii", (long long)t.hold_inner, (long long)t.hold_outer,
                       (long long)t.wait_inner, (long long)t.wait_outer, (int)t.holder,
                       (int)t.waiter);
}

static PyMethodDef methods[] = {{"turns", turns, METH_VARARGS, NULL}, {NULL}};

static PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};

static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "timed", NULL, 0, methods, slots};

PyMODINIT_FUNC PyInit_timed(void) { return PyModuleDef_Init(&definition); }
