"""Writes the C source of the cffi module: ``python generate.py FILE``."""

from __future__ import annotations

import sys

import cffi

DECLARATIONS = """
extern "Python" void call(void *context, int number);
extern "Python" void log_to(void *context, int level, const char *text);
typedef void relay_callback(void *context, int number);
typedef void relay_log(void *context, int level, const char *text);
void relay_forward(relay_callback *callback, void *context, int calls);
void relay_forward_from_threads(relay_callback *callback, void *context, int threads, int calls);
void relay_log_from_threads(relay_log *log, void *context, int threads, int records);
uint64_t relay_compute(int steps);
int relay_contend(int rounds);
"""

builder = cffi.FFI()
builder.cdef(DECLARATIONS)
builder.set_source("_relay_cffi", '#include "relay_c.h"')
builder.emit_c_code(sys.argv[1])
