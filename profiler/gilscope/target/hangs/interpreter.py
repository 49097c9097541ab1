"""The interpreter in a process: its threads, who has the GIL, where they are in Python code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gilscope.target.hangs.debug_offsets import SIZE, parse, version_of
from gilscope.target.hangs.locations import line_at
from gilscope.target.hangs.objects import Objects
from gilscope.target.hangs.process import WORD, NoProcessError, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gilscope.target.hangs.native_stacks import NativeStacks
    from gilscope.target.hangs.process import Process

MOST_FRAMES = 1000
MOST_THREADS = 100_000
ATTACHED, SUSPENDED = 1, 2
INTERPRETER_OWNS = 3  # FRAME_OWNED_BY_CSTACK in 3.13; BY_INTERPRETER and above later
_TAG = 3
_GIL_SIZE = 256  # at least that of struct _gil_runtime_state


@dataclass(frozen=True)
class PythonFrame:
    """A frame of Python code, innermost first in a stack.

    Attributes:
        address: Of the interpreter's frame.
        code: Address of the code object.
        file: Its file.
        name: Its qualified name.
        line: The line that runs; 0 if unknown.
        at: Offset of the instruction in the code, bytes.
    """

    address: int
    code: int
    file: str
    name: str
    line: int
    at: int

    @property
    def is_shim(self) -> bool:
        """Whether it is the interpreter's own, that makes an object and calls its ``__init__``.

        The code has no file and no line (_Py_InitCleanup in specialize.c).
        """
        return self.file == self.name == "__init__" and not self.line


@dataclass(frozen=True)
class ThreadState:
    """A thread state.

    Attributes:
        address: Its address, by which others name it.
        tid: Thread id of the kernel.
        ident: Thread id of pthreads: address of its control block.
        state: 0 detached, `ATTACHED` or `SUSPENDED`.
        interp: Address of its interpreter.
        frame: Address of its innermost frame.
    """

    address: int
    tid: int
    ident: int
    state: int
    interp: int
    frame: int


@dataclass(frozen=True)
class Gil:
    """A GIL.

    Attributes:
        begin: Its address.
        locked: Whether a thread has it.
        holder: Address of the thread state that has it, or had it last.
        enabled: Whether it is in use.
        switches: How often it has gone to another thread.
    """

    begin: int
    locked: bool
    holder: int
    enabled: bool
    switches: int

    def has(self, address: int) -> bool:
        """Whether an address is one of its condition variables or mutexes."""
        return self.begin <= address < self.begin + _GIL_SIZE


class Interpreter:
    """Reads the interpreter of one process."""

    def __init__(self, process: Process, natives: NativeStacks) -> None:
        """Find it.

        Raises:
            NoProcessError: There is none, or one of a version that is not known.
        """
        self.process = process
        self.runtime = _runtime(natives)
        if not self.runtime:
            raise NoProcessError(f"process {process.pid} is not Python")
        try:
            data = process.read(self.runtime, SIZE)
        except UnreadableError:
            raise NoProcessError(f"process {process.pid} cannot be read") from None
        offsets = parse(data)
        if offsets is None:
            version = version_of(data)
            known = "gilscope reads 3.13 to 3.15"
            named = f"Python {version}" if version else "a Python before 3.13"
            raise NoProcessError(f"process {process.pid} runs {named}: {known}")
        self.offsets = offsets
        self.objects = Objects(process, offsets)

    @property
    def version(self) -> str:
        """For people."""
        major, minor = self.offsets.version
        return f"{major}.{minor}{'t' if self.offsets.free_threaded else ''}"

    def threads(self) -> list[ThreadState]:
        """Return the thread states of all interpreters, the main one's last."""
        read, offsets = self.process.number, self.offsets
        found: list[ThreadState] = []
        interp = read(self.runtime + offsets["runtime.interpreters"])
        while interp and len(found) < MOST_THREADS:
            state = read(interp + offsets["interp.threads"])
            while state and len(found) < MOST_THREADS:
                found.append(self._thread(state, interp))
                state = read(state + offsets["thread.next"])
            interp = read(interp + offsets["interp.next"])
        return found

    def _thread(self, address: int, interp: int) -> ThreadState:
        read, offsets = self.process.number, self.offsets
        return ThreadState(
            address,
            read(address + offsets["thread.tid"]),
            read(address + offsets["thread.ident"]),
            read(address + offsets.state, 4),
            interp,
            read(address + offsets["thread.frame"]),
        )

    @property
    def finalizing(self) -> int:
        """Address of the thread state that ends the interpreter; 0 while none does."""
        return self.process.number(self.runtime + self.offsets["runtime.finalizing"])

    def gil(self, interp: int) -> Gil:
        """Return the GIL of an interpreter."""
        offsets = self.offsets
        begin = self.process.number(interp + offsets["interp.ceval_gil"])
        own = offsets["interp.gil"]

        def member(name: str, size: int) -> int:
            return self.process.number(begin + offsets[f"interp.gil_{name}"] - own, size)

        # Stock builds have no such member.
        enabled = bool(member("enabled", 4)) if offsets.free_threaded else True
        # switch_number follows `locked`, and is aligned.
        switches = begin + offsets["interp.gil_locked"] - own + WORD
        return Gil(
            begin,
            member("locked", 4) == 1,
            member("holder", WORD),
            enabled,
            self.process.number(switches),
        )

    def stack(self, thread: ThreadState) -> list[PythonFrame]:
        """Return a thread's Python stack, as far as it can be read."""
        frames: list[PythonFrame] = []
        address = thread.frame
        for _ in range(MOST_FRAMES):
            if not address:
                break
            try:
                owner = self.process.number(address + self.offsets["frame.owner"], 1)
                if owner < INTERPRETER_OWNS:
                    executable = self.process.number(address + self.offsets["frame.executable"])
                    instr = self.process.number(address + self.offsets["frame.instr"])
                    frame = self.frame(address, executable, instr)
                    if not frame.is_shim:
                        frames.append(frame)
                address = self.process.number(address + self.offsets["frame.previous"])
            except UnreadableError:
                break
        return frames

    def frame(self, address: int, executable: int, instr: int) -> PythonFrame:
        """Return a frame by its address and by what stands in it.

        Raises:
            UnreadableError: It is none.
        """
        read, offsets, objects = self.process.number, self.offsets, self.objects
        code = executable & ~_TAG
        if objects.type_name(code) != "code":
            raise UnreadableError("no code")
        at = instr - self._bytecode(address, code)
        table = objects.data(read(code + offsets["code.linetable"]))
        first = read(code + offsets["code.firstlineno"], 4)
        return PythonFrame(
            address,
            code,
            objects.text(read(code + offsets["code.filename"])),
            objects.text(read(code + offsets["code.qualname"])),
            line_at(table, first, at),
            at,
        )

    def _bytecode(self, frame: int, code: int) -> int:
        """Return where the instructions of a frame begin; a thread may have a copy of its own."""
        read, offsets = self.process.number, self.offsets
        if offsets.free_threaded and "frame.tlbc_index" in offsets.fields:
            index = read(frame + offsets["frame.tlbc_index"], 4)
            if index:
                return read(read(code + offsets["code.tlbc"]) + WORD * (1 + index))
        return code + offsets["code.adaptive"]

    def variables(self, frame: PythonFrame) -> list[tuple[str, int]]:
        """Return the local variables of a frame that have a value; cells are looked into."""
        read, offsets, objects = self.process.number, self.offsets, self.objects
        names = objects.items(read(frame.code + offsets["code.localsplusnames"]))
        found = []
        for i, name in enumerate(names):
            value = read(frame.address + offsets["frame.localsplus"] + WORD * i) & ~_TAG
            if value and objects.type_name(value) == "cell":
                value = read(value + offsets.head)
            if value:
                found.append((objects.text(name), value))
        return found

    def globals_of(self, frame: PythonFrame) -> int:
        """Return the dict of a frame's module.

        f_funcobj and f_globals come after `previous` in all versions.
        """
        return self.process.number(frame.address + self.offsets["frame.previous"] + 2 * WORD)

    def stacked(self, frame: PythonFrame) -> Iterator[int]:
        """Yield what stands on a frame's stack of values, some of which may be out of date."""
        names = self.objects.items(
            self.process.number(frame.code + self.offsets["code.localsplusnames"])
        )
        begin = frame.address + self.offsets["frame.localsplus"] + WORD * len(names)
        for i in range(16):
            try:
                yield self.process.number(begin + WORD * i) & ~_TAG
            except UnreadableError:
                return


def _runtime(natives: NativeStacks) -> int:
    for image, bias in natives.objects().values():
        address = image.address_of("_PyRuntime")
        if address:
            return address + bias
    return 0
