"""The contents of a trace after reading: threads, locks, intervals.

Times are int64 nanoseconds from the trace's start unless the name says otherwise. Everything here
is immutable; the columns are numpy arrays that cannot be written to.
"""

from gilscope.trace.model.callbacks import CALLBACK_TYPES, Callbacks
from gilscope.trace.model.cpu_time import CpuShare, CpuTimes
from gilscope.trace.model.gil_switches import GilSwitches
from gilscope.trace.model.hazards import Hazard
from gilscope.trace.model.intervals import COLUMN_TYPES, ArrayColumns, Columns, Intervals
from gilscope.trace.model.locks import Gil, Lock, Locks
from gilscope.trace.model.places import Callable, Code, Entry, Frame, Module, Site, Table
from gilscope.trace.model.samples import SampledFrame, Samples
from gilscope.trace.model.spans import Spans
from gilscope.trace.model.threads import Thread, Threads
from gilscope.trace.model.trace import TABLES, Build, Trace, TraceEvents

__all__ = [
    "CALLBACK_TYPES",
    "COLUMN_TYPES",
    "TABLES",
    "ArrayColumns",
    "Build",
    "Callable",
    "Callbacks",
    "Code",
    "Columns",
    "CpuShare",
    "CpuTimes",
    "Entry",
    "Frame",
    "Gil",
    "GilSwitches",
    "Hazard",
    "Intervals",
    "Lock",
    "Locks",
    "Module",
    "SampledFrame",
    "Samples",
    "Site",
    "Spans",
    "Table",
    "Thread",
    "Threads",
    "Trace",
    "TraceEvents",
]
