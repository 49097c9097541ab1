"""Locks and GILs of a trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gilscope.trace.tables import DataTable, of_objects


@dataclass(frozen=True, slots=True)
class Lock:
    """Something that threads waited for.

    Attributes:
        id: number in the trace; what `Intervals.what` of a lock wait refers to.
        kind: one of `format.LOCK_KINDS`: "object", "mutex", "lock", "event", …
        type: type name of the Python object that the lock belongs to; "" if there is none.
        name: the best name for people, such as "dict `app.CACHE`" or "dict at 0x7f0c5a3b2e40".
        address: what was waited on.
        object_address: the Python object, as `id()` gives it; 0 if there is none.
        source: how the name was found, one of `format.NAME_SOURCES`, or one of these: "creation",
            by where it was made; "member", by what the debug information says of native code;
            "first wait", by where a thread first waited for it; "" if `name` is made from type
            and address alone.
        created: "file:line" that made it; "" if unknown.
        member: what CPython's source calls a lock of the interpreter's, such as
            "interp->types.mutex"; "" of all others.
    """

    id: int
    kind: str
    type: str
    name: str
    address: int
    object_address: int
    source: str = ""
    created: str = ""
    member: str = ""

    @property
    def native(self) -> bool:
        """A lock of native code, such as a `std::mutex`; Python knows nothing of it."""
        return self.kind.startswith("native")


class Locks(dict[int, Lock]):
    """Locks by id. One that the trace uses but does not define is there as an unidentified one."""

    def __missing__(self, lock_id: int) -> Lock:
        return Lock(lock_id, "unidentified", "", f"unidentified lock {lock_id}", 0, 0)

    def table(self) -> DataTable:
        """A row a lock."""
        return of_objects(
            list(self.values()),
            {"id": np.uint32, "address": np.uint64, "object_address": np.uint64},
            ("kind", "type", "name", "source", "created", "member"),
        )

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame`, a row a lock."""
        return self.table().to_pandas()

    def to_arrow(self) -> Any:
        """A `pyarrow.Table`, a row a lock."""
        return self.table().to_arrow()


@dataclass(frozen=True, slots=True)
class Gil:
    """A GIL of the process; each subinterpreter may have one of its own."""

    id: int
    address: int
    interpreter: int
