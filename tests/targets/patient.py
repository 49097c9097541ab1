"""Prints what a program can see of itself and of its process, as JSON.

``patient.py plain`` is run as it is, or by ``gilscope run``. With ``during:PATH`` and
``after:PATH`` it records itself, from the first line on, and looks meanwhile or afterwards.
"""

# ruff: noqa: E402 - what is loaded and defined at the beginning is to be seen first

import sys

WAY, _, TRACE = sys.argv[1].partition(":")
if WAY != "plain":
    import gilscope

    SESSION = gilscope.profile(TRACE)
    SESSION.__enter__()
AT_START = sorted(sys.modules)
MAIN = {
    name: value if isinstance(value, str | None) else type(value).__name__
    for name, value in dict(globals()).items()
    if name.startswith("__")
}

import atexit
import contextlib
import ctypes
import faulthandler
import gc
import json
import linecache
import locale
import os
import resource
import signal
import threading
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

MANY = 1 << 28


def free(function: str) -> int:
    """Return how many more of a kind of watcher there can be; as many are then taken."""
    add = getattr(ctypes.pythonapi, function)
    add.argtypes = [ctypes.c_void_p]
    returns_0 = ctypes.cast(ctypes.pythonapi.Py_IsFinalizing, ctypes.c_void_p)
    count = 0
    with contextlib.suppress(RuntimeError):
        while add(returns_0) >= 0:
            count += 1
    return count


def process() -> dict[str, Any]:
    """Return what the system knows of this process."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    status = dict(line.split(":", 1) for line in lines)
    descriptors = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # that of the folder itself
            descriptors.append(str(link.readlink()))
    limits = {x: resource.getrlimit(getattr(resource, x)) for x in dir(resource) if "RLIMIT" in x}
    try:
        child = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        child = None
    return {
        "threads": status["Threads"].strip(),
        "signals": {
            x: status[x].strip() for x in ("SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt")
        },
        "name": status["Name"].strip(),
        "descriptors": sorted(descriptors),
        "limits": limits,
        "child": child,
        "umask": status["Umask"].strip(),
        "directory": str(Path.cwd()),
        "affinity": sorted(os.sched_getaffinity(0)),
        "priority": os.getpriority(os.PRIO_PROCESS, 0),
        "environment": dict(os.environ),
        "session": os.getsid(0),
    }


def interpreter() -> dict[str, Any]:
    """Return what the interpreter is set to."""
    streams = [sys.stdin, sys.stdout, sys.stderr]
    return {
        "argv": sys.argv[:1],
        "path": sys.path,
        "flags": list(sys.flags),
        "xoptions": sys._xoptions,
        "recursion": sys.getrecursionlimit(),
        "switch_interval": sys.getswitchinterval(),
        "gil": sys._is_gil_enabled(),
        "hash": hash("patient"),
        "bytecode": [sys.dont_write_bytecode, sys.pycache_prefix],
        "hooks": [
            sys.excepthook is sys.__excepthook__,
            sys.unraisablehook is sys.__unraisablehook__,
            sys.displayhook is sys.__displayhook__,
            sys.breakpointhook is sys.__breakpointhook__,
            threading.excepthook is threading.__excepthook__,
        ],
        "tracing": [sys.gettrace() is None, sys.getprofile() is None, threading.gettrace() is None],
        "monitoring": [sys.monitoring.get_tool(i) for i in range(6)],
        "coroutines": sys.get_coroutine_origin_tracking_depth(),
        "importers": [getattr(x, "__name__", repr(x)) for x in sys.meta_path],
        "path_hooks": len(sys.path_hooks),
        "streams": [[x.encoding, x.errors, x.line_buffering, x.name] for x in streams],
        "gc": [gc.isenabled(), gc.get_threshold(), gc.get_debug(), gc.get_freeze_count()],
        "warnings": [repr(x) for x in warnings.filters],
        "showwarning": warnings.showwarning is warnings._showwarning_orig,
        "signals": [str(signal.getsignal(x)) for x in sorted(signal.valid_signals())],
        "mask": [int(x) for x in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
        "threads": [x.name for x in threading.enumerate()],
        "set_native_id": threading.Thread._set_native_id.__module__,
        "locale": locale.setlocale(locale.LC_ALL),
        "faulthandler": faulthandler.is_enabled(),
        "tracemalloc": tracemalloc.is_tracing(),
        "linecache": sorted(linecache.cache),
        "atexit": atexit._ncallbacks(),
        "main_code": sys._getframe(2).f_code.co_filename,
        "main_is": sys.modules["__main__"].__dict__ is globals(),
        "depth": depth(),
    }


def depth() -> int:
    """Return how many Python frames are below that of the main module."""
    count, frame = 0, sys._getframe()
    while frame.f_code.co_name != "<module>":
        frame = frame.f_back
    while frame := frame.f_back:
        count += 1
    return count


def facts() -> dict[str, Any]:
    """Return all of it."""
    seen = {f"process.{name}": value for name, value in process().items()}
    seen |= {f"interpreter.{name}": value for name, value in interpreter().items()}
    kinds = ("PyDict", "PyType", "PyCode", "PyFunction")
    seen["watchers"] = {kind: free(f"{kind}_AddWatcher") for kind in kinds}
    # An index by itself changes nothing, so one can be taken to see which it is.
    seen["code_extra"] = ctypes.pythonapi.PyUnstable_Eval_RequestCodeExtraIndex(None)
    single = ctypes.c_char.in_dll(ctypes.CDLL(None), "__libc_single_threaded")
    seen["single_threaded"] = single.value != b"\0"
    # A free-threaded 3.13 makes functions immortal when it gets its first thread state.
    seen["immortal"] = sys.getrefcount(facts) > MANY
    return seen | {"modules": AT_START, "main": MAIN}


if __name__ == "__main__":
    if WAY == "after":
        SESSION.__exit__(None, None, None)
    print(json.dumps(facts()))
