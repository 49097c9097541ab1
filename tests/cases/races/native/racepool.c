// A native pool that calls back, and functions that read and write Python objects, for the programs
// whose names begin with native_ and clean_native_.
#include <Python.h>
#include <pthread.h>

enum { kMostThreads = 16 };

typedef struct {
  PyObject *callback;
  pthread_mutex_t *mutex;
  int thread, calls;
} Task;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void call(const Task *task, int number) {
  const PyGILState_STATE state = PyGILState_Ensure();
  PyObject *result = PyObject_CallFunction(task->callback, "ii", task->thread, number);
  if (result == NULL) PyErr_Print();
  Py_XDECREF(result);
  PyGILState_Release(state);
}

static void *work(void *argument) {
  const Task *task = argument;
  for (int i = 0; i < task->calls; ++i) {
    if (task->mutex != NULL) pthread_mutex_lock(task->mutex);
    call(task, i);
    if (task->mutex != NULL) pthread_mutex_unlock(task->mutex);
  }
  return NULL;
}

// run(threads, calls, callback, locked): calls callback(thread, number) from native threads.
static PyObject *run(PyObject *module, PyObject *arguments) {
  int threads = 0;
  int calls = 0;
  int locked = 0;
  PyObject *callback = NULL;
  (void)module;
  if (!PyArg_ParseTuple(arguments, "iiOp", &threads, &calls, &callback, &locked)) return NULL;
  if (threads > kMostThreads) threads = kMostThreads;
  pthread_t ids[kMostThreads];
  Task tasks[kMostThreads];
  Py_BEGIN_ALLOW_THREADS
  for (int i = 0; i < threads; ++i) {
    tasks[i] = (Task){callback, locked ? &mutex : NULL, i, calls};
    pthread_create(&ids[i], NULL, work, &tasks[i]);
  }
  for (int i = 0; i < threads; ++i) pthread_join(ids[i], NULL);
  Py_END_ALLOW_THREADS
  Py_RETURN_NONE;
}

// bump(dict, key): adds 1 to dict[key] by two calls of the C API.
static PyObject *bump(PyObject *module, PyObject *arguments) {
  PyObject *dict = NULL;
  PyObject *key = NULL;
  (void)module;
  if (!PyArg_ParseTuple(arguments, "O!O", &PyDict_Type, &dict, &key)) return NULL;
  PyObject *old = PyObject_GetItem(dict, key);
  if (old == NULL) return NULL;
  PyObject *new = PyLong_FromLong(PyLong_AsLong(old) + 1);
  Py_DECREF(old);
  if (new == NULL || PyDict_SetItem(dict, key, new) != 0) {
    Py_XDECREF(new);
    return NULL;
  }
  Py_DECREF(new);
  Py_RETURN_NONE;
}

// grow(object, name): adds 1 to an attribute by two calls of the C API.
static PyObject *grow(PyObject *module, PyObject *arguments) {
  PyObject *object = NULL;
  PyObject *name = NULL;
  (void)module;
  if (!PyArg_ParseTuple(arguments, "OU", &object, &name)) return NULL;
  PyObject *old = PyObject_GetAttr(object, name);
  if (old == NULL) return NULL;
  PyObject *new = PyLong_FromLong(PyLong_AsLong(old) + 1);
  Py_DECREF(old);
  if (new == NULL || PyObject_SetAttr(object, name, new) != 0) {
    Py_XDECREF(new);
    return NULL;
  }
  Py_DECREF(new);
  Py_RETURN_NONE;
}

static PyMethodDef methods[] = {{"run", run, METH_VARARGS, NULL},
                                {"bump", bump, METH_VARARGS, NULL},
                                {"grow", grow, METH_VARARGS, NULL},
                                {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "racepool", NULL, 0, methods, slots,
                                        NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_racepool(void) { return PyModuleDef_Init(&definition); }
