"""All threads of a process at one moment: where they are, what they wait for, what they own."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.target.hangs.interpreter import ATTACHED, Interpreter
from gilscope.target.hangs.native_stacks import NativeStacks, is_c_library
from gilscope.target.hangs.process import UnreadableError

if TYPE_CHECKING:
    from gilscope.target.hangs.interpreter import Gil, PythonFrame, ThreadState
    from gilscope.target.hangs.native_stacks import NativeFrame
    from gilscope.target.hangs.process import Process, Task

PROBES_NAME = "gilscope"
"""That the probe's thread has (core/page_feeder.cpp)."""

CONTROL_BLOCK_SIZE = 1024
"""Bytes of glibc's struct pthread in which the kernel's id of a thread stands: 720 on x86-64."""


@dataclass(frozen=True)
class Wait:
    """What a thread waits for.

    Attributes:
        kind: ``gil``, ``lock``, ``join``, ``threads``, ``event``, ``guard``, ``once``, ``mutex``,
            ``rwlock``, ``condition``, ``barrier``, ``future``, ``semaphore``, ``pause`` (that all
            threads stand still), ``paused`` (that the pause ends), ``loop`` (an event loop that has
            nothing to do), ``call`` (a system call).
        what: For people, with its article.
        owners: Threads that have to do something before it can end, each of them; empty where
            that is not known.
        ends: Whether it ends by itself: it has a time limit, or something outside can end it.
        lost: Who owned what is waited for and does not exist any more; "" if nobody.
        lock: Address of the lock; 0 if there is none.
        any_of: Whether one of the owners is enough to end it.
    """

    kind: str
    what: str
    owners: tuple[int, ...] = ()
    ends: bool = False
    lost: str = ""
    lock: int = 0
    any_of: bool = False


@dataclass
class Thread:
    """One thread.

    Attributes:
        tid: The kernel's id.
        name: For people.
        task: As the kernel has it.
        states: Its thread states; none for one that never entered Python.
        python: Python stack, innermost frame first.
        native: Native stack, innermost frame first; empty while it runs.
        attached: Whether it is attached to its interpreter: in stock builds, has the GIL.
        holds_gil: Whether it has a GIL.
        daemon: Whether the interpreter ends without waiting for it.
        wait: What it waits for; None while it runs.
    """

    tid: int
    name: str
    task: Task
    states: list[ThreadState] = field(default_factory=list)
    python: list[PythonFrame] = field(default_factory=list)
    native: list[NativeFrame] = field(default_factory=list)
    attached: bool = False
    holds_gil: bool = False
    daemon: bool = False
    wait: Wait | None = None


class Picture:
    """Looks at a process once.

    Attributes:
        process: The process.
        interpreter: Its interpreter.
        threads: By the kernel's ids; without the probe's own thread.
        spinning: The thread that was seen to spin; 0 if none was.
        ending: The thread that ends the interpreter and cannot; 0 if none.
        by_ident: Thread ids by those of pthreads.
        by_state: Thread ids by addresses of thread states.
        gils: By addresses of interpreters, as they were when first looked at.
    """

    def __init__(self, process: Process) -> None:
        """Look.

        Raises:
            NoProcessError: It is gone, or not Python.
            UnreadableError: It changed meanwhile.
        """
        self.process = process
        self.natives = NativeStacks(process)
        self.interpreter = Interpreter(process, self.natives)
        tasks = process.tasks()
        self.threads = {
            tid: Thread(tid, _name(tid, task, process), task) for tid, task in sorted(tasks.items())
        }
        self.spinning = self.ending = 0
        self.by_ident: dict[int, int] = {}
        self.by_state: dict[int, int] = {}
        self.gils: dict[int, Gil] = {}
        self._add_states()
        self._add_names()
        for tid, thread in list(self.threads.items()):
            wait = thread.task.wait
            thread.native = self.natives.stack(wait.pc, wait.sp) if wait.asleep else []
            if not thread.states and is_probes(thread):
                del self.threads[tid]

    def _add_states(self) -> None:
        for state in self.interpreter.threads():
            thread = self.threads.get(state.tid)
            if thread is None:
                continue
            thread.states.append(state)
            self.by_ident[state.ident] = self.by_state[state.address] = state.tid
            if state.interp not in self.gils:
                self.gils[state.interp] = self.interpreter.gil(state.interp)
            gil = self.gils[state.interp]
            has = gil.enabled and gil.locked and gil.holder == state.address
            thread.holds_gil = thread.holds_gil or has
            attached = state.state == ATTACHED and (has or not gil.enabled)
            thread.attached = thread.attached or attached
            # An interpreter that it is in now comes before one that it was in.
            stack = self.interpreter.stack(state)
            if stack and (attached or not thread.python):
                thread.python = stack

    def _add_names(self) -> None:
        """Take the names that threading knows; those that native code gave stay."""
        objects = self.interpreter.objects
        for state in self.interpreter.threads():
            try:
                active = self.module_variable(state.interp, "threading", "_active")
                for key, value in objects.entries(active):
                    tid = self.by_ident.get(objects.integer(key), 0)
                    self._name_thread(tid, value)
            except UnreadableError:
                continue

    def _name_thread(self, tid: int, value: int) -> None:
        objects = self.interpreter.objects
        if tid not in self.threads or objects.type_name(value) == "_DummyThread":
            return
        attributes = dict(objects.attributes(value))
        if "_name" in attributes:
            self.threads[tid].name = objects.text(attributes["_name"])
        if "_daemonic" in attributes:
            self.threads[tid].daemon = bool(objects.integer(attributes["_daemonic"]))

    def owner(self, ident: int) -> int:
        """Return the thread that a pthread id is of, also one that Python does not know; else 0.

        glibc notes the kernel's id in the control block that the pthread id is the address of;
        where in it, the threads tell of which both are known.
        """
        if ident in self.by_ident:
            return self.by_ident[ident]
        found = set()
        for offset in self._tid_offsets:
            try:
                found.add(self.process.number(ident + offset, 4))
            except UnreadableError:
                return 0
        return found.pop() if len(found) == 1 and found <= self.threads.keys() else 0

    @cached_property
    def _tid_offsets(self) -> set[int]:
        """Return where in a control block the kernel's id stands, in bytes."""
        offsets: set[int] | None = None
        for ident, tid in self.by_ident.items():
            try:
                data = self.process.read(ident, CONTROL_BLOCK_SIZE)
            except UnreadableError:
                continue
            value = tid.to_bytes(4, "little")
            own = {i for i in range(0, CONTROL_BLOCK_SIZE, 4) if data[i : i + 4] == value}
            offsets = own if offsets is None else offsets & own
        return offsets or set()

    def module_variable(self, interp: int, module: str, name: str) -> int:
        """Return a global variable of a module.

        Raises:
            UnreadableError: There is none.
        """
        interpreter = self.interpreter
        modules = interpreter.process.number(interp + interpreter.offsets["interp.modules"])
        for found, value in interpreter.objects.globals(modules):
            if found == module:
                names = interpreter.process.number(value + interpreter.offsets.head)
                for variable, address in interpreter.objects.globals(names):
                    if variable == name:
                        return address
        raise UnreadableError(f"{module}.{name}")

    def name(self, tid: int) -> str:
        """Return a thread's name for people."""
        return self.threads[tid].name if tid in self.threads else f"thread {tid}"


def is_probes(thread: Thread) -> bool:
    """Whether a thread is the probe's own: it has that name, and runs nothing else.

    Not by its name alone: those of other threads may be the same. Nor by where it is alone: a
    thread of the program that has just been started is in the probe first, and may stay there for
    long on a busy machine.
    """
    paths = [frame.path for frame in thread.native if not is_c_library(frame.module)]
    inside = bool(paths) and all("/gilscope/_" in path for path in paths)
    return inside and thread.task.name == PROBES_NAME


def _name(tid: int, task: Task, process: Process) -> str:
    if tid == process.pid:
        return "MainThread"
    main = (process.path / "comm").read_text(errors="replace").strip()
    # Threads that were given no name have that of the process.
    return f"native thread {tid}" if task.name == main else f"native thread {task.name}"


def place(thread: Thread) -> str:
    """Return where a thread is in the program: its own code, not that of libraries below it."""
    frame = own_frame(thread.python)
    return f"{Path(frame.file).name}:{frame.line}" if frame else ""


def own_frame(stack: list[PythonFrame]) -> PythonFrame | None:
    """Return the innermost frame that is not of the standard library or of gilscope."""
    from gilscope.target.hangs.names import is_library  # noqa: PLC0415 - it needs this module

    return next((f for f in stack if not is_library(f.file)), None)


def native_function(thread: Thread) -> NativeFrame | None:
    """Return the innermost native function of the program: of no system library or binding."""
    from gilscope.target.hangs.names import is_binding, is_system  # noqa: PLC0415 - it needs this

    own = (f for f in thread.native if f.symbol and not is_system(f.path))
    return next((f for f in own if not is_binding(f.function)), None)
