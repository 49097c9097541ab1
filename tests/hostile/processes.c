/* Child processes by other ways than fork(): vfork, posix_spawn and clone. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostile.h"

extern char** environ;
static char* const command[] = {"/bin/true", NULL};

static int status_of(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, __WALL) < 0) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int by_vfork(void) {
  const pid_t child = vfork();
  if (child == 0) {
    execve(command[0], command, environ);
    _exit(errno);
  }
  return status_of(child);
}

static int by_spawn(void) {
  pid_t child;
  const int error = posix_spawn(&child, command[0], NULL, NULL, command, environ);
  return error == 0 ? status_of(child) : 1000 + error;
}

/* A copy of this process of which the C library knows nothing: no handler of pthread_atfork runs.
 */
static int by_clone_system_call(void) {
  const long child = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
  if (child == 0) {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    syscall(SYS_exit_group, 7);
  }
  return status_of((pid_t)child) - 7;
}

static int in_clone(void* mutex) {
  pthread_mutex_lock(mutex);
  pthread_mutex_unlock(mutex);
  syscall(SYS_exit, 5);
  return 0;
}

/* A child that shares this process's memory while its parent stands still, on a stack of its own.
 */
static int by_clone_sharing(void) {
  enum { SIZE = 256 * 1024 };
  static _Thread_local pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  char* stack = malloc(SIZE);
  const int child = clone(in_clone, stack + SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD, &mutex);
  const int status = status_of(child);
  free(stack);
  return status - 5;
}

static int (*const ways[])(void) = {by_vfork, by_spawn, by_clone_system_call, by_clone_sharing};

/* child(way): makes a child process without the GIL; 0 when it ended as it should. */
static PyObject* child(PyObject* self, PyObject* args) {
  int way, wrong;
  (void)self;
  if (!PyArg_ParseTuple(args, "i", &way)) return NULL;
  Py_BEGIN_ALLOW_THREADS;
  wrong = ways[way % 4]();
  Py_END_ALLOW_THREADS;
  return PyLong_FromLong(wrong);
}

/* fork_natively(): a child forked behind the interpreter's back, which only ends. */
static PyObject* fork_natively(PyObject* self, PyObject* args) {
  int status;
  (void)self;
  (void)args;
  Py_BEGIN_ALLOW_THREADS;
  const pid_t made = fork();
  if (made == 0) _exit(3);
  status = status_of(made) - 3;
  Py_END_ALLOW_THREADS;
  return PyLong_FromLong(status);
}

PyMethodDef hostile_processes[] = {
    {"child", child, METH_VARARGS, NULL},
    {"fork_natively", fork_natively, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
