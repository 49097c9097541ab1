"""Firefox profiler's JSON: markers a thread, in the shape of CPython 3.15's `--gecko` output.

Experimental: the profiler documents no format for others. There are no samples: what the threads
did is in the markers, with the names that CPython uses where it has them, and with the stacks of
waits.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from gilscope.export.firefox_stacks import NO_STACK, Stacks, Strings
from gilscope.export.progress import Progress, silent
from gilscope.export.rows import blocks, constant, decimal, join, texts
from gilscope.export.scene import Scene, name_codes, scenes
from gilscope.trace.format import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gilscope.export.rows import Part
    from gilscope.trace.arrays import I64, U8
    from gilscope.trace.model import Thread, Trace

VERSION, PREPROCESSED_VERSION = 32, 57
CATEGORIES = {
    "Other": "grey",
    "Python": "yellow",
    "Native": "blue",
    "GIL": "green",
    "Lock": "orange",
}
MARKERS = {
    Event.GIL_HOLD: ("Has GIL", "GIL"),
    Event.GIL_WAIT: ("Waiting for GIL", "GIL"),
    Event.GIL_SWITCH_WAIT: ("Handing over GIL", "GIL"),
    Event.LOCK_WAIT: ("Waiting for lock", "Lock"),
    Event.SPIN: ("Spinning for lock", "Lock"),
    Event.CALLBACK: ("Callback", "Native"),
    Event.SPAN: ("Span", "Other"),
}
_SORTED = sorted(MARKERS.items())
INTERVAL = 1  # the phase of a marker that has a start and an end
NS_PER_MS = 1_000_000
NO_SAMPLES: dict[str, Any] = {
    "samples": {
        **{column: [] for column in ("stack", "time", "eventDelay")},
        "weight": None,
        "weightType": "samples",
        "length": 0,
    }
}


class FirefoxExporter:
    """Writes a processed profile."""

    name = "firefox"
    suffix = ".firefox.json"
    description = "Firefox profiler JSON, for profiler.firefox.com (experimental)"

    def write(self, traces: Sequence[Trace], out: BinaryIO, progress: Progress = silent) -> None:
        """Write all traces as one profile."""
        strings = Strings()
        out.write(b'{"meta":' + _json(_meta(traces)) + b',"libs":[],"threads":[')
        first = True
        for scene in scenes(traces):
            for thread in scene.trace.threads:
                out.write(b"" if first else b",\n")
                first = False
                _ThreadWriter(scene, thread, out, strings).write()
            progress(len(scene.trace.intervals))
        shared = {"stringArray": strings.all, "sources": {"length": 0, "uuid": [], "filename": []}}
        out.write(b'],"pages":[],"shared":' + _json(shared) + b"}\n")


class _ThreadWriter:
    """Writes one thread."""

    def __init__(self, scene: Scene, thread: Thread, out: BinaryIO, strings: Strings) -> None:
        self._scene, self._thread, self._out, self._strings = scene, thread, out, strings
        trace = scene.trace
        rows = np.flatnonzero(trace.intervals.thread == thread.index)
        intervals = trace.intervals.select(rows)
        chosen = trace.callbacks.thread == thread.index
        calls, codes = trace.callbacks.select(chosen), scene.callback_codes[chosen]
        spans = trace.spans.of_thread(thread.index)
        tables = (intervals, calls, spans)
        self._starts = np.concatenate([table.start for table in tables])
        self._ends = np.concatenate([table.end for table in tables])
        same = (np.full(len(calls), Event.CALLBACK), np.full(len(spans), Event.SPAN))
        self._kinds = np.concatenate([intervals.kind, *same]).astype(np.uint8)
        named = (
            (scene.names, name_codes(intervals)),
            (scene.callback_names, codes),
            (scene.span_names, spans.name.astype(np.int64)),
        )
        # Numbers of all names: those of callbacks and spans behind the others.
        self._names: list[bytes] = []
        numbers = []
        for labels, wanted in named:
            found = labels.numbers(wanted)
            numbers.append(len(self._names) + found)
            self._names += [_json(name) for name in labels.strings]
        self._numbers = np.concatenate(numbers)
        places = [list(CATEGORIES).index(name) for name in ("Python", "Native")]
        self._tables = Stacks(strings, (places[0], places[1]))
        used, rows = np.unique(intervals.stack, return_inverse=True)
        stacks = [self._tables.number(trace.stacks[stack]) for stack in used.tolist()]
        self._stacks = np.full(len(self._kinds), NO_STACK)
        self._stacks[: len(intervals)] = np.array(stacks, np.int64)[rows]

    def write(self) -> None:
        """Write the thread; names of markers are numbers of strings."""
        scene, thread = self._scene, self._thread
        about = {
            "name": thread.label,
            "isMainThread": thread.main,
            "processStartupTime": 0,
            "processShutdownTime": None,
            "registerTime": thread.start_ns / NS_PER_MS,
            "unregisterTime": thread.end_ns / NS_PER_MS,
            "pausedRanges": [],
            "pid": str(scene.pid),
            "tid": scene.tids[thread.index],
            "processType": "default",
            "processName": scene.name,
        }
        self._out.write(_json(about | NO_SAMPLES | self._tables.tables())[:-1] + b',"markers":{')
        kinds = _places(self._kinds)
        names = np.array([self._strings.number(name) for _, (name, _) in _SORTED])[kinds]
        known = list(CATEGORIES)
        categories = np.array([known.index(category) for _, (_, category) in _SORTED])[kinds]
        self._column("data", self._data)
        self._column("name", lambda part: [decimal(names[part])])
        self._column("startTime", lambda part: _millis(self._starts[part]))
        self._column("endTime", lambda part: _millis(self._ends[part]))
        self._column("phase", lambda _: [constant(b"%d" % INTERVAL)])
        self._column("category", lambda part: [decimal(categories[part])])
        self._out.write(b'"length":%d}}' % len(self._kinds))

    def _column(self, name: str, values: Callable[[slice], list[Part]]) -> None:
        self._out.write(_json(name) + b":[")
        for part in blocks(len(self._kinds)):
            n = part.stop - part.start
            written = join([*values(part), constant(b",")], n)
            self._out.write(b"," * bool(part.start) + written[:-1])
        self._out.write(b"],\n")

    def _data(self, part: slice) -> list[Part]:
        types = [_json(_type(name)) for _, (name, _) in _SORTED]
        stacks = self._stacks[part]
        known = stacks != NO_STACK
        return [
            constant(b'{"type":'),
            texts(types, _places(self._kinds[part])),
            constant(b',"duration":'),
            *_millis(self._ends[part] - self._starts[part]),
            constant(b',"tid":%d,"name":' % self._scene.tids[self._thread.index]),
            texts(self._names, self._numbers[part]),
            constant(b',"cause":{"stack":').only(known),
            decimal(np.maximum(stacks, 0)).only(known),
            constant(b"}").only(known),
            constant(b"}"),
        ]


def _places(kinds: U8) -> I64:
    """Positions of kinds of event among `_SORTED`."""
    return np.searchsorted(np.array([kind for kind, _ in _SORTED]), kinds)


def _type(name: str) -> str:
    return name.replace(" ", "")


def _meta(traces: Sequence[Trace]) -> dict[str, Any]:
    categories = [
        {"name": name, "color": color, "subcategories": ["Other"]}
        for name, color in CATEGORIES.items()
    ]
    return {
        "interval": 1.0,
        "startTime": min((t.start_realtime_ns for t in traces), default=0) / NS_PER_MS,
        "abi": "",
        "misc": "Python profiler",
        "oscpu": "",
        "platform": "Linux",
        "processType": 0,
        "categories": categories,
        "stackwalk": 0,
        "toolkit": "",
        "version": VERSION,
        "preprocessedProfileVersion": PREPROCESSED_VERSION,
        "appBuildID": "",
        "physicalCPUs": 0,
        "logicalCPUs": 0,
        "CPUName": "",
        "product": "Python",
        "symbolicated": True,
        "markerSchema": [_schema(name) for name, _ in MARKERS.values()],
        "importedFrom": "gilscope",
        "extensions": {"id": [], "name": [], "baseURL": [], "length": 0},
    }


def _schema(name: str) -> dict[str, Any]:
    """How markers of one type are shown."""
    fields = (
        ("name", "What", "string"),
        ("duration", "Duration", "duration"),
        ("tid", "Thread ID", "integer"),
    )
    return {
        "name": _type(name),
        "display": ["marker-chart", "marker-table", "timeline-overview"],
        "chartLabel": "{marker.data.name}",
        "tableLabel": "{marker.data.name}",
        "tooltipLabel": name,
        "fields": [
            {"key": k, "label": label, "format": f, "searchable": True} for k, label, f in fields
        ],
    }


def _millis(ns: I64) -> list[Part]:
    return [decimal(ns // NS_PER_MS), constant(b"."), decimal(ns % NS_PER_MS, least=6)]


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
