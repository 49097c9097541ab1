#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <sys/socket.h>
#include <sys/uio.h>

// Sends a record to a descriptor, as a client of a logging daemon does.
static PyObject* send_record(PyObject* self, PyObject* args) {
  int fd = 0;
  int polite = 0;
  Py_buffer data;
  if (!PyArg_ParseTuple(args, "iy*p", &fd, &data, &polite)) return NULL;
  struct iovec part = {data.buf, (size_t)data.len};
  struct msghdr message = {0};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  PyThreadState* state = polite ? PyEval_SaveThread() : NULL;
  const ssize_t sent = sendmsg(fd, &message, 0);
  if (state != NULL) PyEval_RestoreThread(state);
  PyBuffer_Release(&data);
  return PyLong_FromSsize_t(sent);
}

static PyMethodDef methods[] = {{"send_record", send_record, METH_VARARGS, NULL}, {0}};
static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};
static PyModuleDef module = {PyModuleDef_HEAD_INIT, "journal", NULL, 0, methods, slots, 0, 0, 0};
PyMODINIT_FUNC PyInit_journal(void) { return PyModuleDef_Init(&module); }
