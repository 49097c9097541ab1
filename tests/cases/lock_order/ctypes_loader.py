# expect: loader the GIL
"""A callback in Python gets the loaded objects, and another thread lists them with the GIL."""

import ctypes
import threading

VISIT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
seen = []


@VISIT
def visit(info, size, data):
    seen.append(size)
    return 0


walk = ctypes.CDLL(None).dl_iterate_phdr
walk_with_gil = ctypes.PyDLL(None).dl_iterate_phdr
at_once = ctypes.cast(ctypes.pythonapi.Py_IsInitialized, ctypes.c_void_p)  # returns 1


def visits():
    walk(visit, None)


def lists():
    walk_with_gil(at_once, None)


def run(*targets):
    threads = [threading.Thread(target=target, name=target.__name__) for target in targets]
    started = []
    for thread in threads:
        thread.start()
        started.append(thread)
        thread.join(0.05)  # so that it does not strike; nothing is ordered by a time limit
    for thread in threads:
        thread.join()


run(visits, lists)
