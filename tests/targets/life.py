"""Programs that fork, that make other processes, that have many threads, that run for ever."""

from __future__ import annotations

import ctypes
import faulthandler
import multiprocessing
import os
import resource
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import spawn
from pathlib import Path

import stage
from scenario import main, scenario, start_all

import gilscope
from gilscope.errors import ProbeError
from gilscope.target.recording import session as probe
from gilscope.target.recording.options import MIN_BYTES

PAIRS = 300
VARIABLE = "GILSCOPE_PARENT"


def status_of(pid: int) -> int:
    """Wait for a child and return its status."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def forked() -> int:
    """Fork a child that ends at once; return its status."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return status_of(pid)


@scenario
def fork_without_handlers(trace: str) -> dict[str, object]:
    """A child is made by _Fork(), of which nobody is told, and enters Python."""
    probe.start(trace)
    thread = threading.Thread(target=stage.pairs, args=(10,))
    thread.start()
    thread.join()
    pid = ctypes.PyDLL(None)._Fork()
    if pid == 0:
        stage.pairs(PAIRS)
        os._exit(1 if probe.running() else 0)
    status = status_of(pid)
    stage.pairs(PAIRS)
    return {"status": status, **probe.stop()}


@scenario
def many_drops(trace: str) -> dict[str, object]:
    """Threads record much while the program forks again and again."""
    end = threading.Event()

    def work() -> None:
        while not end.is_set():
            stage.pairs(1000)

    threads = [threading.Thread(target=work) for _ in range(3)]
    probe.start(trace)
    for thread in threads:
        thread.start()
    statuses = {forked() for _ in range(100)}
    end.set()
    for thread in threads:
        thread.join()
    return {"statuses": sorted(statuses), **probe.stop()}


def work_of_a_child(x: int) -> int:
    """Enter Python often, and compute."""
    stage.pairs(PAIRS)
    return x * x


def family(trace: str, method: str) -> dict[str, object]:
    """Worker processes of both kinds of pool, followed."""
    context = multiprocessing.get_context(method)
    function = spawn.get_preparation_data
    with gilscope.profile(trace, follow_children=True):
        with context.Pool(1) as workers:
            results = workers.map(work_of_a_child, range(3))
            workers.close()
            workers.join()
        with ProcessPoolExecutor(1, mp_context=context) as workers:
            results += workers.map(work_of_a_child, range(3))
        changed = spawn.get_preparation_data is not function and VARIABLE in os.environ
    return {
        "results": results,
        "changed": changed,
        "restored": spawn.get_preparation_data is function and not os.environ.get(VARIABLE),
    }


@scenario
def variable_of_children(trace: str) -> dict[str, object]:
    """The variable that names the session, after it, while another thread runs, and in the end."""
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()
    facts: dict[str, object] = {}
    with gilscope.profile(trace, follow_children=True):
        facts["during"] = VARIABLE in os.environ
    facts["beside"] = os.environ.get(VARIABLE)
    over.set()
    other.join()
    return facts


@scenario
def family_fork(trace: str) -> dict[str, object]:
    """By fork."""
    return family(trace, "fork")


@scenario
def family_spawn(trace: str) -> dict[str, object]:
    """By spawn."""
    return family(trace, "spawn")


@scenario
def family_forkserver(trace: str) -> dict[str, object]:
    """By forkserver."""
    return family(trace, "forkserver")


@scenario
def grandchildren(trace: str) -> dict[str, object]:
    """A forked child forks one of its own; both exit in order."""
    # Its thread, which is not there in a child, would be waited for at the child's end.
    faulthandler.cancel_dump_traceback_later()
    with gilscope.profile(trace, follow_children=True):
        child = os.fork()
        if child == 0:
            grandchild = os.fork()
            stage.pairs(PAIRS)
            sys.exit(0 if grandchild == 0 else status_of(grandchild))
        status = status_of(child)
    return {"status": status, "child": child}


def nothing() -> None:
    """The work of a child that only has to be there."""


@scenario
def family_without_native_locks(trace: str) -> dict[str, object]:
    """Children by fork and by spawn, followed, none of whose native locks are to be recorded."""
    with gilscope.profile(trace, follow_children=True, native_locks=False, max_bytes=MIN_BYTES):
        for method in ("fork", "spawn"):
            child = multiprocessing.get_context(method).Process(target=nothing)
            child.start()
            child.join()
    return {}


@scenario
def other_programs(trace: str) -> dict[str, object]:
    """Programs are started; one of them records itself."""
    code = "import gilscope, sys\nwith gilscope.profile(sys.argv[1]): print(6 * 7)"
    path = str(Path(trace).with_name("own.gilscope"))
    with gilscope.profile(trace, follow_children=True):
        plain = subprocess.run(
            [sys.executable, "-c", "print(1)"],
            capture_output=True,
            text=True,
            check=True,
            preexec_fn=os.getpid,
        )
        own = subprocess.run(
            [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
        )
    return {"outputs": [plain.stdout, own.stdout], "pid": os.getpid()}


@scenario
def ring(trace: str) -> dict[str, object]:
    """A thread goes round the smallest ring; another one takes snapshots."""
    end = threading.Event()

    def work() -> None:
        while not end.is_set():
            stage.pairs(10_000)

    early = str(Path(trace).with_name("early.gilscope"))
    late = str(Path(trace).with_name("late.gilscope"))
    probe.start(trace, max_bytes=MIN_BYTES, ring=True)
    thread = threading.Thread(target=work, name="goes round")
    thread.start()
    gilscope.snapshot(early)
    handle, _ = stage.start_native(None, "native", 400_000)
    stage.join_native(handle)
    gilscope.snapshot(late)
    end.set()
    thread.join()
    return probe.stop()


@scenario
def snapshot_refused(trace: str) -> dict[str, object]:
    """Snapshots without a session, and to places where there can be no file."""
    refusals = []
    for path in (trace, str(Path(trace) / "x")):
        try:
            probe.snapshot(path)
        except ProbeError as error:
            refusals.append(str(error))
        if not probe.running():
            probe.start(trace)
    probe.stop()
    return {
        "refusals": refusals,
        "files": sorted(path.name for path in Path(trace).parent.iterdir()),
    }


@scenario
def many_threads(trace: str) -> dict[str, object]:
    """10,000 threads, twenty at a time; then 500 at once."""
    probe.start(trace)
    for _ in range(500):
        start_all([threading.Thread(target=stage.pairs, args=(1,)) for _ in range(20)])
    barrier = threading.Barrier(501)
    threads = [threading.Thread(target=barrier.wait) for _ in range(500)]
    for thread in threads:
        thread.start()
    barrier.wait()
    for thread in threads:
        thread.join()
    return probe.stop()


@scenario
def stop_while_threads_wait(trace: str) -> dict[str, object]:
    """The session ends while threads wait for a lock; they go on when it is gone."""
    lock = threading.Lock()
    lock.acquire()
    threads = [threading.Thread(target=lambda: lock.acquire() and lock.release()) for _ in range(5)]
    probe.start(trace)
    for thread in threads:
        thread.start()
    for thread in threads:
        stage.asleep(thread.native_id)
    probe.stop()
    lock.release()
    for thread in threads:
        thread.join()
    return {"tids": [thread.native_id for thread in threads]}


@scenario
def small_file_limit(trace: str) -> dict[str, object]:
    """Files may not be larger than 2 MB, then than 100 kB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, resource.RLIM_INFINITY))
    result = probe.self_test()
    probe.start(trace)
    stage.pairs(100_000)
    report = probe.stop()
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    again = probe.self_test()
    return {"same": result == again, "report": report}


if __name__ == "__main__":
    main()
