# cython: language_level=3, freethreading_compatible=True
"""The library bound with Cython; also built with its FastGIL, under another name."""

from libc.stdint cimport uint64_t


cdef extern from "relay_c.h" nogil:
    ctypedef void relay_callback(void* context, int number) noexcept
    ctypedef void relay_log(void* context, int level, const char* text) noexcept
    void relay_forward(relay_callback* callback, void* context, int calls)
    void relay_forward_from_threads(relay_callback* callback, void* context, int threads, int calls)
    void relay_log_from_threads(relay_log* log, void* context, int threads, int records)
    uint64_t relay_compute(int steps)
    int relay_contend(int rounds)


cdef void call(void* callable, int number) noexcept with gil:
    (<object>callable)(number)


cdef void log_to(void* logger, int level, const char* text) noexcept with gil:
    (<object>logger).log(level, text.decode())


class Logger:
    pass


def forward(callable, int calls):
    cdef void* context = <void*>callable
    with nogil:
        relay_forward(call, context, calls)


def forward_from_threads(callable, int threads, int calls):
    cdef void* context = <void*>callable
    with nogil:
        relay_forward_from_threads(call, context, threads, calls)


def log_from_threads(logger, int threads, int records):
    cdef void* context = <void*>logger
    with nogil:
        relay_log_from_threads(log_to, context, threads, records)


def compute(int steps):
    cdef uint64_t value
    with nogil:
        value = relay_compute(steps)
    return value


def contend(int rounds):
    cdef int slept
    with nogil:
        slept = relay_contend(rounds)
    return slept
