/* Threads that leave a wait by pthread_cancel and by siglongjmp. */
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hostile.h"

/* What a thread waits for; made anew each time, since a wait that was left leaves it in no state.
 */
struct place {
  pthread_mutex_t mutex;
  pthread_cond_t condition;
  pthread_rwlock_t lock;
  sem_t semaphore;
  PyThread_type_lock thread_lock;
  int kind;
  atomic_int waiter; /* the thread's id once it is about to wait */
};

enum {
  WAIT,
  TIMEDWAIT,
  CLOCKWAIT,
  THREAD_LOCK,
  TIMED_THREAD_LOCK,
  SEMAPHORE,
  CANCELLABLE,
  MUTEX = CANCELLABLE,
  TIMED_MUTEX,
  CLOCK_MUTEX,
  READ,
  WRITE,
  TIMED_READ,
  TIMED_WRITE,
  KINDS
};

static struct timespec in_an_hour(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  time.tv_sec += 3600;
  return time;
}

static struct place* make_place(int kind) {
  struct place* place = calloc(1, sizeof *place);
  pthread_mutex_init(&place->mutex, NULL);
  pthread_cond_init(&place->condition, NULL);
  pthread_rwlock_init(&place->lock, NULL);
  sem_init(&place->semaphore, 0, 0);
  place->thread_lock = PyThread_allocate_lock();
  PyThread_acquire_lock(place->thread_lock, WAIT_LOCK);
  place->kind = kind;
  return place;
}

static void unlock(void* mutex) { pthread_mutex_unlock(mutex); }

static void wait_on_condition(struct place* place) {
  pthread_mutex_lock(&place->mutex);
  pthread_cleanup_push(unlock, &place->mutex);
  const struct timespec real = in_an_hour(CLOCK_REALTIME);
  const struct timespec steady = in_an_hour(CLOCK_MONOTONIC);
  atomic_store(&place->waiter, gettid());
  if (place->kind == WAIT) {
    pthread_cond_wait(&place->condition, &place->mutex);
  } else if (place->kind == TIMEDWAIT) {
    pthread_cond_timedwait(&place->condition, &place->mutex, &real);
  } else {
    pthread_cond_clockwait(&place->condition, &place->mutex, CLOCK_MONOTONIC, &steady);
  }
  pthread_cleanup_pop(1);
}

static void wait_here(struct place* place) {
  if (place->kind <= CLOCKWAIT) {
    wait_on_condition(place);
    return;
  }
  const struct timespec real = in_an_hour(CLOCK_REALTIME);
  const struct timespec steady = in_an_hour(CLOCK_MONOTONIC);
  atomic_store(&place->waiter, gettid());
  switch (place->kind) {
    case THREAD_LOCK: PyThread_acquire_lock(place->thread_lock, WAIT_LOCK); break;
    case TIMED_THREAD_LOCK:
      PyThread_acquire_lock_timed(place->thread_lock, 3600 * 1000000LL, 0);
      break;
    case SEMAPHORE: sem_wait(&place->semaphore); break;
    case MUTEX: pthread_mutex_lock(&place->mutex); break;
    case TIMED_MUTEX: pthread_mutex_timedlock(&place->mutex, &real); break;
    case CLOCK_MUTEX: pthread_mutex_clocklock(&place->mutex, CLOCK_MONOTONIC, &steady); break;
    case READ: pthread_rwlock_rdlock(&place->lock); break;
    case WRITE: pthread_rwlock_wrlock(&place->lock); break;
    case TIMED_READ: pthread_rwlock_timedrdlock(&place->lock, &real); break;
    case TIMED_WRITE: pthread_rwlock_timedwrlock(&place->lock, &real); break;
    default: break;
  }
}

static _Thread_local sigjmp_buf way_out;

static void jump(int number) {
  (void)number;
  siglongjmp(way_out, 1);
}

static void* be_cancelled(void* place) {
  wait_here(place);
  return NULL;
}

/* Leaves the wait, and then waits and enters Python like any other thread. */
static void* jump_out(void* argument) {
  struct place* place = argument;
  if (sigsetjmp(way_out, 1) == 0) {
    wait_here(place);
    return NULL;
  }
  PyGILState_STATE state = PyGILState_Ensure();
  PyRun_SimpleString("sum(range(10))");
  PyGILState_Release(state);
  struct place* another = make_place(WAIT);
  struct timespec soon;
  clock_gettime(CLOCK_REALTIME, &soon);
  pthread_mutex_lock(&another->mutex);
  pthread_cond_timedwait(&another->condition, &another->mutex, &soon);
  pthread_mutex_unlock(&another->mutex);
  return argument;
}

/* Whether the kernel has put the thread to sleep. */
static int is_asleep(int thread) {
  char path[64];
  char line[256] = "";
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
  FILE* file = fopen(path, "r");
  if (file == NULL) return 1;
  const char* read = fgets(line, sizeof line, file);
  fclose(file);
  const char* state = read != NULL ? strrchr(line, ')') : NULL;
  return state == NULL || state[2] == 'S';
}

/* One thread waits in one way and leaves; whether it left as it was to leave. */
static int leave(int kind, int by_jump, long pause_us) {
  struct place* place =
      make_place(kind); /* never freed: the wait that is left may be in its lists */
  if (kind >= MUTEX) {
    pthread_mutex_lock(&place->mutex);
    pthread_rwlock_wrlock(&place->lock);
  }
  pthread_t thread = hostile_spawn(by_jump ? jump_out : be_cancelled, place);
  while (!atomic_load(&place->waiter)) hostile_sleep_us(20);
  /* A jump out of a lock's function is allowed, if at all, while the thread sleeps in it. */
  for (int asleep = 0; by_jump && asleep < 3; hostile_sleep_us(100))
    asleep = is_asleep(atomic_load(&place->waiter)) ? asleep + 1 : 0;
  hostile_sleep_us(pause_us);
  if (by_jump) {
    pthread_kill(thread, SIGUSR2);
  } else {
    pthread_cancel(thread);
  }
  void* result = NULL;
  pthread_join(thread, &result);
  return result == (by_jump ? (void*)place : PTHREAD_CANCELED);
}

static PyObject* leave_all(PyObject* self, PyObject* args) {
  int by_jump, right = 0;
  long pause_us;
  (void)self;
  if (!PyArg_ParseTuple(args, "pl", &by_jump, &pause_us)) return NULL;
  struct sigaction action, before;
  memset(&action, 0, sizeof action);
  action.sa_handler = jump;
  sigaction(SIGUSR2, &action, &before);
  Py_BEGIN_ALLOW_THREADS;
  const int kinds = by_jump ? KINDS : CANCELLABLE;
  for (int kind = 0; kind < kinds; ++kind) right += leave(kind, by_jump, pause_us);
  Py_END_ALLOW_THREADS;
  sigaction(SIGUSR2, &before, NULL);
  return PyLong_FromLong(right);
}

PyMethodDef hostile_leaving[] = {
    /* leave_all(by_jump, pause_us): how many threads left their wait as they were to. */
    {"leave_all", leave_all, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
