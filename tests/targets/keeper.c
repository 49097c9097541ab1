/* Keeps the GIL in native code: computing, asleep, or both in turns. It knows nothing of the
 * probe. */
#define _GNU_SOURCE
#include <Python.h>
#include <errno.h>
#include <poll.h>
#include <time.h>

static volatile unsigned long sink;

/* Of this thread on a processor: on a busy machine, a stretch of time may hold none of it. */
static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

__attribute__((noinline)) static void work(long ms) {
  for (const double end = seconds() + (double)ms / 1e3; seconds() < end;) {
    for (unsigned long i = 0; i < 1000; ++i) sink += i * i;
  }
}

/* compute(ms) */
static PyObject* compute(PyObject* self, PyObject* ms) {
  (void)self;
  work(PyLong_AsLong(ms));
  Py_RETURN_NONE;
}

/* doze(ms) */
static PyObject* doze(PyObject* self, PyObject* ms) {
  (void)self;
  const struct timespec time = {0, PyLong_AsLong(ms) * 1000000};
  nanosleep(&time, NULL);
  Py_RETURN_NONE;
}

/* turns(count): computes and sleeps in turns; how many system calls were interrupted. */
static PyObject* turns(PyObject* self, PyObject* count) {
  (void)self;
  long interrupted = 0;
  for (long i = PyLong_AsLong(count); i > 0; --i) {
    const struct timespec time = {0, 500000};
    work(2);
    if (nanosleep(&time, NULL) != 0 && errno == EINTR) ++interrupted;
    work(1);
    if (poll(NULL, 0, 1) < 0 && errno == EINTR) ++interrupted;
  }
  return PyLong_FromLong(interrupted);
}

static PyMethodDef methods[] = {{"compute", compute, METH_O, NULL},
                                {"doze", doze, METH_O, NULL},
                                {"turns", turns, METH_O, NULL},
                                {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "keeper", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_keeper(void) { return PyModule_Create(&module); }
