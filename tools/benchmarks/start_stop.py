"""Times starts and stops in a process with many loaded objects: ``python start_stop.py ROUNDS``.

Prints one JSON object: nanoseconds of each start, stop, and fork of a child that ends at once, with
none and with many objects beside those of the interpreter.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from gilscope.target.recording import session as probe

OBJECTS = 300
SOURCE = """
#include <Python.h>
#include <pthread.h>
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
void* table[] = {PyGILState_Ensure, PyGILState_Release};
void enter(void) {
  pthread_mutex_lock(&mutex);
  pthread_cond_signal(&condition);
  pthread_mutex_unlock(&mutex);
  PyGILState_STATE state = PyGILState_Ensure();
  Py_XDECREF(PyObject_CallNoArgs(Py_None));
  PyGILState_Release(state);
  PyEval_RestoreThread(PyEval_SaveThread());
}
"""


def load_objects(place: Path) -> list[ctypes.CDLL]:
    """Load as many objects that call Python and take locks, as extension modules do."""
    source = place / "object.c"
    source.write_text(SOURCE, encoding="utf-8")
    first = place / "object.so"
    command = ["gcc", "-O1", "-shared", "-fPIC", f"-I{sysconfig.get_path('include')}"]
    subprocess.run([*command, str(source), "-o", str(first)], check=True)
    return [ctypes.CDLL(shutil.copy(first, place / f"object{n}.so")) for n in range(OBJECTS)]


def fork() -> None:
    """Fork a child that ends at once."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def measure(trace: str, rounds: int) -> dict[str, list[int]]:
    """Return the times of as many sessions."""
    times: dict[str, list[int]] = {"start": [], "stop": [], "fork": []}
    for _ in range(rounds):
        stamps = []
        for step in (lambda: probe.start(trace), fork, probe.stop):
            begin = time.monotonic_ns()
            step()
            stamps.append(time.monotonic_ns() - begin)
        for name, stamp in zip(("start", "fork", "stop"), stamps, strict=True):
            times[name].append(stamp)
    return times


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        trace = str(Path(folder) / "trace.gilscope")
        measure(trace, 1)  # the self-test
        few = measure(trace, rounds)
        objects = load_objects(Path(folder))
        many = measure(trace, rounds)
        del objects
    print(json.dumps({"few": few, "many": many}))


if __name__ == "__main__":
    main()
