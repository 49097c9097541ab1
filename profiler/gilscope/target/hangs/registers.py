"""Loops without system calls, told from work by the registers and the memory that they change.

The thread is stopped by ptrace, for some microseconds at a time, which no process sees that only
computes; one that is in a system call is left alone, since some calls do not survive it.
"""

from __future__ import annotations

import ctypes
import os
import platform
import time
from typing import TYPE_CHECKING

from gilscope.target.hangs.process import WORD, UnreadableError, kernel_wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from gilscope.target.hangs.process import Process

LOOKS = 24
PAUSE_SECONDS = 0.02
LOOP_BYTES = 256
"""Of code that a loop which waits is made of, at most."""

STACK_BYTES, POINTED_BYTES = 512, 64
SAME_PLACE = 4  # looks that met the loop at one instruction

_SEIZE, _INTERRUPT, _GETREGSET, _DETACH = 0x4206, 0x4207, 0x4204, 17
_GENERAL, _EXTENDED = 1, 0x202  # NT_PRSTATUS, NT_X86_XSTATE
_MOST_BYTES = 1 << 14
_WALL = 0x40000000
_RED_ZONE = 128  # bytes below the stack pointer that a function may use
# struct user_regs_struct of x86-64: r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi
# orig_rax rip cs eflags rsp ss fs_base gs_base …
_GENERAL_WORDS, _RIP, _RSP, _WORDS = 15, 16, 19, 27

type State = tuple[int, ...]


class _Vector(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


def waiting_loop(process: Process, tid: int) -> tuple[int, int] | None:
    """Return where a thread runs that changes nothing and only waits for memory: pc and sp.

    Its registers are the same whenever it is at the same instruction, it stays in a few bytes of
    code, and neither its stack nor the memory that its registers point to changes. What does so
    cannot go on unless another thread changes what it reads.
    """
    if platform.machine() != "x86_64":
        return None
    seen: dict[int, set[State]] = {}
    counts: dict[int, int] = {}
    state: State | None = None
    for i in range(LOOKS):
        if i:
            time.sleep(PAUSE_SECONDS)
        state = _state(process, tid)
        if state is None:
            return None
        at = state[0]
        seen.setdefault(at, set()).add(state)
        counts[at] = counts.get(at, 0) + 1
        if len(seen[at]) > 1 or max(seen) - min(seen) > LOOP_BYTES:
            return None
    if state is None or max(counts.values()) < SAME_PLACE:
        return None
    return state[0], state[1]


def _state(process: Process, tid: int) -> State | None:
    """Return where a thread is, its registers and a digest of memory; None if it is not running."""
    if not _runs(process, tid):
        return None
    registers = _registers(tid)
    if registers is None:
        return None
    words, rest = registers
    general, sp = words[:_GENERAL_WORDS], words[_RSP]
    memory = [_memory(process, sp - _RED_ZONE, STACK_BYTES)]
    memory += [_memory(process, value, POINTED_BYTES) for value in general]
    return (words[_RIP], sp, *general, rest, hash(tuple(memory)))


def _runs(process: Process, tid: int) -> bool:
    try:
        return not kernel_wait((process.path / f"task/{tid}/syscall").read_text()).asleep
    except (OSError, ValueError):
        return False


def _memory(process: Process, address: int, size: int) -> bytes:
    try:
        return process.read(address, size)
    except UnreadableError:
        return b""


def _registers(tid: int) -> tuple[list[int], int] | None:
    """Stop a thread, read its registers, let it go on; None if that may not be done.

    Returns:
        The general ones, and a digest of all others.
    """
    ptrace = ctypes.CDLL(None).ptrace
    ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    ptrace.restype = ctypes.c_long
    if ptrace(_SEIZE, tid, None, None):
        return None
    signal = 0
    try:
        ptrace(_INTERRUPT, tid, None, None)
        _, status = os.waitpid(tid, _WALL)
        if not os.WIFSTOPPED(status):
            return None
        if not status >> 16:
            signal = os.WSTOPSIG(status)  # it was just about to be delivered, and has to be
        general = _register_set(ptrace, tid, _GENERAL)
        rest = _register_set(ptrace, tid, _EXTENDED)
    except ChildProcessError:
        return None
    finally:
        ptrace(_DETACH, tid, None, ctypes.c_void_p(signal))
    if len(general) < _WORDS * WORD or not rest:
        return None
    words = [int.from_bytes(general[i : i + WORD], "little") for i in range(0, len(general), WORD)]
    return words, hash(rest)


def _register_set(ptrace: Callable[..., int], tid: int, number: int) -> bytes:
    """Return a set of registers of a thread that stands still; empty if there is none."""
    data = ctypes.create_string_buffer(_MOST_BYTES)
    vector = _Vector(ctypes.addressof(data), _MOST_BYTES)
    if ptrace(_GETREGSET, tid, ctypes.c_void_p(number), ctypes.byref(vector)):
        return b""
    return data.raw[: vector.size]
