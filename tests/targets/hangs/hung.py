"""Programs that hang; the first argument says which one."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
import time

libc, libc_with_gil = ctypes.CDLL(None), ctypes.PyDLL(None)
lock, other = threading.Lock(), threading.Lock()
ready = threading.Event()
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)


def start(function: object, name: str = "helper") -> threading.Thread:
    """Start a daemon thread."""
    thread = threading.Thread(target=function, name=name, daemon=True)  # type: ignore[arg-type]
    thread.start()
    return thread


def event() -> None:
    """Wait for an event with the lock that its setter needs."""

    def setter() -> None:
        time.sleep(0.2)
        with lock:
            ready.set()

    start(setter, "setter")
    with lock:
        ready.wait()


def order() -> None:
    """Take two locks in opposite orders, while a third thread goes on."""

    def beat() -> None:
        while True:
            time.sleep(0.05)

    def second() -> None:
        with other:
            time.sleep(0.3)
            with lock:
                pass

    start(beat, "beat")
    start(second, "second")
    with lock:
        time.sleep(0.3)
        with other:
            pass


def joins() -> None:
    """Join one thread after the other from one place: the second one never ends."""
    taken = threading.Lock()

    def works() -> None:
        time.sleep(2)

    def asks() -> None:
        with taken:
            pass

    with taken:
        for thread in [start(works, "works"), start(asks, "asks")]:
            thread.join()


def join() -> None:
    """Join a native thread that needs Python, without giving the GIL up."""

    @CALLBACK
    def callback(_argument: object) -> int:
        return 0

    late = ctypes.cast(ctypes.CDLL(os.environ["SPIN"]).call_late, ctypes.c_void_p)
    thread = ctypes.c_ulong()
    libc.pthread_create(ctypes.byref(thread), None, late, callback)
    libc_with_gil.pthread_join(thread, None)


def mutex() -> None:
    """Wait for a native mutex with the GIL, whose owner waits for the GIL."""
    native = ctypes.create_string_buffer(64)

    def owner() -> None:
        libc_with_gil.pthread_mutex_lock(native)
        ready.set()
        time.sleep(0.3)
        gc.collect()

    start(owner, "owner")
    ready.wait()
    libc_with_gil.pthread_mutex_lock(native)


def rlock() -> None:
    """Wait for an RLock that a thread took for good, which waits for us."""
    recursive = threading.RLock()

    def owner() -> None:
        recursive.acquire()
        ready.set()
        with lock:
            pass

    with lock:
        start(owner, "owner")
        ready.wait()
        recursive.acquire()


def itself() -> None:
    """Take a lock twice."""
    with lock:
        lock.acquire()


def spin() -> None:
    """Spin with the GIL, or attached, for a flag that another thread would set."""
    native = ctypes.PyDLL(os.environ["SPIN"])
    flag = ctypes.c_int()

    def late() -> None:
        time.sleep(0.2)
        gc.collect()
        flag.value = 1

    start(late, "late")
    getattr(native, sys.argv[2])(ctypes.byref(flag))


def fork() -> None:
    """Fork while another thread has a lock, and take it in the child."""

    def refresh() -> None:
        with lock:
            ready.set()
            time.sleep(0.5)

    start(refresh, "refresh")
    ready.wait()
    child = os.fork()
    if not child:
        lock.acquire()
        os._exit(0)
    os.waitpid(child, 0)


globals()[sys.argv[1]]()
