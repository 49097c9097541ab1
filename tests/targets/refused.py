"""Programs to which the system refuses something: a call, address space, the file's pages."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import faulthandler
import json
import os
import platform
import resource
import signal
import struct
import sys
import threading
from pathlib import Path
from types import MappingProxyType

import stage
from scenario import main, scenario, start_all

from gilscope.errors import ProbeError
from gilscope.target.recording import session as probe

PAIRS = 500
PATIENCE_S = 30  # for one case
SHORT_PATIENCE_S = 8  # for one that may hang without the probe, too
MEGABYTE = 1 << 20

# Numbers of the calls that the probe needs for more than asking: x86-64, aarch64 (0: has none).
CALLS = {
    "clone": (56, 220),
    "clone3": (435, 435),
    "fallocate": (285, 47),
    "ftruncate": (77, 46),
    "getrandom": (318, 278),
    "gettid": (186, 178),
    "madvise": (28, 233),
    "membarrier": (324, 283),
    "memfd_create": (319, 279),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
    "process_vm_readv": (310, 270),
    "pwrite64": (18, 68),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "sched_getaffinity": (204, 123),
    "sched_setaffinity": (203, 122),
    "sched_yield": (24, 124),
    "tgkill": (234, 131),
    "unlink": (87, 0),
    "unlinkat": (263, 35),
}
THREADLESS = ("clone", "clone3", "mprotect")  # without them the program itself has no threads


def refuse(call: int, error: int) -> None:
    """Have the system refuse a call to this process, for good."""
    code = [
        (0x20, 0, 0, 0),  # load the call's number
        (0x15, 0, 1, call),  # another one: skip
        (0x06, 0, 0, 0x00050000 | error),  # fail
        (0x06, 0, 0, 0x7FFF0000),  # allow
    ]
    text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))

    program = Program(len(code), ctypes.addressof(text))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(38, 1, 0, 0, 0) != 0 or prctl(22, 2, ctypes.byref(program)) != 0:
        raise OSError(ctypes.get_errno(), "no filter can be set")


def recorded(trace: str, *, threads: bool) -> dict[str, object]:
    """Record a little; what the probe says, or why it does not run."""
    try:
        probe.start(trace)
    except ProbeError as refusal:
        return {"refusal": str(refusal)}
    stage.pairs(PAIRS)
    if threads:
        start_all([threading.Thread(target=stage.pairs, args=(PAIRS,)) for _ in range(3)])
    return {"report": probe.stop()}


def in_child(work: str, trace: str, **case: object) -> dict[str, object]:
    """Run ``work`` in a process that may end as it likes; what it returns, and its status."""
    # Its thread would not be there in the child, which waits for it.
    faulthandler.cancel_dump_traceback_later()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(PATIENCE_S)
        facts = globals()[work](trace, **case)
        os.write(writer, json.dumps(facts).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return {"status": status, **(json.loads(told) if told else {})}


def with_a_call_refused(trace: str, call: str, error: int) -> dict[str, object]:
    """One call, from the first start of the probe on."""
    refuse(CALLS[call][platform.machine() == "aarch64"], error)
    return recorded(trace, threads=call not in THREADLESS)


@scenario
def calls(trace: str) -> dict[str, object]:
    """Each call, with each of the errors that filters give; a trace each."""
    found = {}
    for call, numbers in CALLS.items():
        for error in (errno.EPERM, errno.ENOSYS):
            if not numbers[platform.machine() == "aarch64"]:
                continue
            name = f"{call}.{errno.errorcode[error]}"
            found[name] = in_child("with_a_call_refused", f"{trace}.{name}", call=call, error=error)
    return found


def with_address_space(trace: str, more: int) -> dict[str, object]:
    """So many bytes more than there are in use."""
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = used * resource.getpagesize() + more
    signal.alarm(SHORT_PATIENCE_S)
    with open(errors_of(trace), "wb") as errors:  # noqa: PTH123 - its descriptor is wanted
        os.dup2(errors.fileno(), 2)
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    try:
        return recorded(trace, threads=True)
    except (RuntimeError, MemoryError) as error:  # the program's own: it cannot start a thread
        return {"program": type(error).__name__}


def errors_of(trace: str) -> str:
    """Where a child's standard error goes."""
    return f"{trace}.err"


def in_address_space(trace: str, size: int) -> dict[str, object]:
    """Run a child with so many megabytes more than there are in use."""
    facts = in_child("with_address_space", trace, more=size * MEGABYTE)
    errors = Path(errors_of(trace)).read_text(encoding="utf-8", errors="replace")
    if facts["status"] == -signal.SIGALRM and "MemoryError" in errors:
        # The program's own hang, and so without the probe: a thread that has its stack and finds no
        # memory for anything else ends before it has told Thread.start() that it runs.
        return {"status": 0, "program": "MemoryError"}
    return {**facts, "errors": errors}


@scenario
def address_space(trace: str) -> dict[str, object]:
    """From next to none to enough."""
    return {
        str(size): in_address_space(f"{trace}.{size}", size)
        for size in (4, 16, 32, 48, 64, 96, 128, 256, 400)
    }


@scenario
def cut(trace: str) -> dict[str, object]:
    """Somebody cuts the trace to nothing while threads record."""
    probe.start(trace)
    threads = [threading.Thread(target=stage.pairs, args=(100 * PAIRS,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    os.truncate(trace, 0)
    for thread in threads:
        thread.join()
    stage.pairs(PAIRS)
    report = probe.stop()
    probe.start(trace)
    stage.pairs(PAIRS)
    return {"report": report, "again": probe.stop()}


@scenario
def own_handler(trace: str) -> dict[str, object]:
    """The program has a handler of SIGBUS before, or sets one meanwhile."""
    heard = []
    signal.signal(signal.SIGBUS, lambda *_: heard.append("before"))
    probe.start(trace)
    os.kill(os.getpid(), signal.SIGBUS)
    signal.signal(signal.SIGBUS, lambda *_: heard.append("meanwhile"))
    os.kill(os.getpid(), signal.SIGBUS)
    probe.stop()
    os.kill(os.getpid(), signal.SIGBUS)
    return {"heard": heard}


@scenario
def descriptors(trace: str) -> dict[str, object]:
    """The program has no descriptor left, or a few, while one recording begins and ends."""
    probe.self_test()  # it needs some, too
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    facts = []
    for spare in range(6):
        used = len(list(Path("/proc/self/fd").iterdir())) - 1
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + spare, hard))
        with contextlib.suppress(ProbeError):
            probe.start(f"{trace}.{spare}")
            probe.stop()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        probe.start(trace)
        stage.pairs(PAIRS)
        watched = probe._hangs._channel is not None
        facts.append({"watched": watched, "left": probe.stop()["slots_left"]})
    return {"recorded": facts}


@scenario
def environment(trace: str) -> dict[str, object]:
    """To follow children takes a variable of the environment, which the program has closed."""
    named = threading.Thread._set_native_id  # type: ignore[attr-defined]
    theirs = os.environ
    os.environ = MappingProxyType(dict(theirs))  # type: ignore[assignment]  # noqa: B003
    refusal = ""
    try:
        probe.start(trace, follow_children=True)
    except TypeError as error:
        refusal = type(error).__name__
    os.environ = theirs  # noqa: B003
    put_back = threading.Thread._set_native_id is named  # type: ignore[attr-defined]
    facts = {"refusal": refusal, "running": probe.running(), "put_back": put_back}
    probe.start(trace)
    stage.pairs(PAIRS)
    return {**facts, "report": probe.stop()}


if __name__ == "__main__":
    sys.exit(main())
