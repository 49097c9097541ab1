// A counter of native code that two native threads raise: with a lock, or without.
#include <Python.h>
#include <pthread.h>

static long total;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void* bare(void* unused) {
  for (int i = 0; i < 1000; ++i) total += 1;
  return unused;
}

static void* locked(void* unused) {
  for (int i = 0; i < 1000; ++i) {
    pthread_mutex_lock(&mutex);
    total += 1;
    pthread_mutex_unlock(&mutex);
  }
  return unused;
}

static PyObject* run(void* (*work)(void*)) {
  pthread_t threads[2];
  Py_BEGIN_ALLOW_THREADS for (int i = 0; i < 2; ++i) pthread_create(&threads[i], NULL, work, NULL);
  for (int i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
  Py_END_ALLOW_THREADS Py_RETURN_NONE;
}

static PyObject* run_bare(PyObject* module, PyObject* unused) {
  (void)module, (void)unused;
  return run(bare);
}

static PyObject* run_locked(PyObject* module, PyObject* unused) {
  (void)module, (void)unused;
  return run(locked);
}

static PyMethodDef functions[] = {
    {"run_bare", run_bare, METH_NOARGS, "Count without a lock."},
    {"run_locked", run_locked, METH_NOARGS, "Count under a lock."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};

static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "racy_native",
                                 .m_methods = functions, .m_slots = slots};

PyMODINIT_FUNC PyInit_racy_native(void) { return PyModuleDef_Init(&definition); }
