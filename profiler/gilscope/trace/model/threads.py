"""Threads of a trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gilscope.trace.tables import DataTable, of_objects


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread that the probe has seen.

    Attributes:
        index: number of the thread in the trace, from 1; what `Intervals.thread` refers to.
        name: name given by the program, else the kernel's, else one made from the thread id.
        tid: the kernel's thread id; 0 if unknown.
        ident: `threading.get_ident()` of the thread; 0 if unknown.
        native: started by native code, not by the interpreter.
        main: the process's main thread.
        start_ns: when the probe first saw it.
        end_ns: its exit, else the end of the trace.
        dropped: events of this thread that found no room.
        interpreter: id of the subinterpreter, with a GIL of its own, that it mostly works for; 0 is
            the main interpreter.
    """

    index: int
    name: str
    tid: int = 0
    ident: int = 0
    native: bool = False
    main: bool = False
    start_ns: int = 0
    end_ns: int = 0
    dropped: int = 0
    interpreter: int = 0

    @property
    def label(self) -> str:
        """The name, with the subinterpreter if it works for one."""
        return f"interpreter {self.interpreter}: {self.name}" if self.interpreter else self.name


class Threads(tuple[Thread, ...]):
    """Threads in the order of the lanes."""

    __slots__ = ()

    def table(self) -> DataTable:
        """A row a thread."""
        return of_objects(list(self), _NUMBERS, ("name",))

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame`, a row a thread."""
        return self.table().to_pandas()

    def to_arrow(self) -> Any:
        """A `pyarrow.Table`, a row a thread."""
        return self.table().to_arrow()


_NUMBERS: dict[str, Any] = {
    "index": np.int32,
    "tid": np.int64,
    "ident": np.uint64,
    "native": np.bool_,
    "main": np.bool_,
    "start_ns": np.int64,
    "end_ns": np.int64,
    "dropped": np.uint64,
    "interpreter": np.int64,
}
