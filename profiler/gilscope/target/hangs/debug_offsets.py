"""The interpreter's description of its layout: _Py_DebugOffsets, where _PyRuntime begins.

The order of the fields is that of the headers of each version (pycore_runtime.h in 3.13,
pycore_debug_offsets.h from 3.14 on); all are 8 bytes. A version that is not known here is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

COOKIE = b"xdebugpy"
_CODE = "size filename name qualname linetable firstlineno argcount localsplusnames localspluskinds"
_GIL = "ceval_gil gil gil_enabled gil_locked gil_holder"
_OBJECTS = "list size ob_item ob_size;"
_REST = (
    "float size ob_fval; long size lv_tag ob_digit; bytes size ob_size ob_sval;"
    "unicode size state length ascii"
)
_FIELDS = {
    (3, 13): "runtime size finalizing interpreters;"
    f"interp size id next threads gc modules sysdict builtins {_GIL};"
    "thread size prev next interp frame ident tid chunk status;"
    "frame size previous executable instr localsplus owner;"
    f"code {_CODE} adaptive;"
    "object size type; type size name repr flags; tuple size ob_item ob_size;"
    f"{_OBJECTS} dict size keys values; {_REST}",
    (3, 14): "runtime size finalizing interpreters;"
    f"interp size id next threads main gc modules sysdict builtins {_GIL} generation tlbc;"
    "thread size prev next interp frame ident tid chunk status;"
    "frame size previous executable instr localsplus owner stackpointer tlbc_index;"
    f"code {_CODE} adaptive tlbc;"
    "object size type; type size name repr flags; tuple size ob_item ob_size;"
    f"{_OBJECTS} set size used table mask; dict size keys values; {_REST}",
    (3, 15): "runtime size finalizing interpreters;"
    f"interp size id next threads main gc modules sysdict builtins {_GIL} generation tlbc;"
    "thread size prev next interp frame base last sequence ident tid chunk status holds requested"
    " exception exc_state; error value;"
    "frame size previous executable instr localsplus owner stackpointer tlbc_index;"
    f"code {_CODE} adaptive tlbc;"
    "object size type; type size name repr flags basicsize dictoffset; heap size cached_keys;"
    "tuple size ob_item ob_size;"
    f"{_OBJECTS} set size used table mask; dict size keys values; {_REST}",
}
# Of fields that no debug offset tells: from PyThreadState's _status on (cpython/pystate.h).
_STATE_AFTER_STATUS = {(3, 13): 8, (3, 14): 12, (3, 15): 16}
# PUSH_EXC_INFO and WITH_EXCEPT_START (opcode_ids.h): how the handler of a with block begins.
_WITH_HANDLER = {(3, 13): (33, 44), (3, 14): (32, 43), (3, 15): (30, 41)}
SIZE = 24 + 8 * max(text.count(" ") + 1 for text in _FIELDS.values())


class Watched(NamedTuple):
    """How code is marked that a tool watches (sys.monitoring).

    Attributes:
        line: INSTRUMENTED_LINE (opcode_ids.h), which stands where a line begins.
        instruction: INSTRUMENTED_INSTRUCTION.
        tables: Offset of ``lines`` in _PyCoMonitoringData, bytes; ``per_instruction_opcodes`` is
            two words behind it (cpython/code.h in 3.13, pycore_instruments.h later).
    """

    line: int
    instruction: int
    tables: int


_WATCHED = {
    (3, 13): Watched(254, 247, 24 + 8),
    (3, 14): Watched(254, 238, 24 + 8 + 64),
    (3, 15): Watched(253, 237, 24 + 8 + 64),
}


@dataclass(frozen=True)
class Offsets:
    """Layout of one interpreter.

    Attributes:
        version: Major and minor.
        free_threaded: Whether it is a free-threaded build.
        fields: ``group.field`` → offset in bytes.
        state: Of a thread state's ``state``: 0 detached, 1 attached, 2 suspended.
        with_handler: The two opcodes with which the handler of a with block begins.
        watched: How code is marked that a tool watches.
    """

    version: tuple[int, int]
    free_threaded: bool
    fields: dict[str, int]
    state: int
    with_handler: tuple[int, int]
    watched: Watched

    def __getitem__(self, name: str) -> int:
        return self.fields[name]

    @property
    def head(self) -> int:
        """Size of a PyObject."""
        return self.fields["object.size"]


def parse(data: bytes) -> Offsets | None:
    """Read what stands at the beginning of _PyRuntime; None if it is nothing that is known."""
    if not data.startswith(COOKIE):
        return None
    numbers = [int.from_bytes(data[i : i + 8], "little") for i in range(8, len(data) - 7, 8)]
    version = (numbers[0] >> 24, numbers[0] >> 16 & 0xFF)
    if version not in _FIELDS:
        return None
    fields, place = {}, 2
    for group in _FIELDS[version].split(";"):
        name, *members = group.split()
        for member in members:
            fields[f"{name}.{member}"] = numbers[place]
            place += 1
    state = fields["thread.status"] + _STATE_AFTER_STATUS[version]
    handler, watched = _WITH_HANDLER[version], _WATCHED[version]
    return Offsets(version, bool(numbers[1]), fields, state, handler, watched)


def version_of(data: bytes) -> str:
    """Return the version that _PyRuntime names, for people; "" if it names none."""
    if not data.startswith(COOKIE):
        return ""
    number = int.from_bytes(data[8:16], "little")
    return f"{number >> 24}.{number >> 16 & 0xFF}"
