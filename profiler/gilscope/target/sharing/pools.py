"""Which threads work for the pool of a native library, such as that of OpenMP or a BLAS."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gilscope.target.hangs.native_stacks import NativeStacks
    from gilscope.target.hangs.process import Process
    from gilscope.target.sharing.processor_samples import Sample

LIBRARIES = re.compile(
    r"lib(gomp|omp|iomp5|openblas|scipy_openblas|mkl_\w+|blis|tbb|flexiblas)[-.\w]*?\.so(\.\d+)?"
)
"""Files of libraries that start a thread for each processor."""

OUTLINED = re.compile(r"\._omp_fn\.|\.?omp_outlined|\.omp_task_entry")
"""In names of functions that a compiler makes of a parallel region."""

MOST_PLACES = 1 << 16
MOST_THREADS = 512


class Pools:
    """Counts, by thread, how often it was met in code of a pool."""

    def __init__(self, process: Process, natives: NativeStacks) -> None:
        self._process = process
        self._natives = natives
        self._labels: dict[int, str] = {}  # by address of the instruction
        self._found: dict[int, Counter[str]] = {}

    @property
    def are_used(self) -> bool:
        """Whether at least two threads were met in one."""
        return len(self._found) > 1

    def add(self, samples: Iterable[Sample]) -> None:
        """Take samples."""
        for sample in samples:
            label = self._labels.get(sample.at)
            if label is None:
                label = self._label(sample.at)
                if label is not None and len(self._labels) < MOST_PLACES:
                    self._labels[sample.at] = label
            if label and (sample.tid in self._found or len(self._found) < MOST_THREADS):
                self._found.setdefault(sample.tid, Counter())[label] += 1

    def _label(self, at: int) -> str | None:
        """Return the library whose pool runs code; "OpenMP" for a parallel region; "" for none.

        None if it is not known (yet) which file the code is of.
        """
        try:
            mapping = self._process.mapping(at)
        except OSError:
            return None
        if mapping is None or not mapping.path.startswith("/"):
            return None
        name = Path(mapping.path).name
        library = LIBRARIES.match(name)
        if library:
            return library[0]
        image = self._natives.image(at)
        return "OpenMP" if image and OUTLINED.search(image[0].function(at - image[1])) else ""

    def data(self) -> list[dict[str, object]]:
        """Return the threads as they stand in a trace."""
        return [
            {"tid": tid, "pool": self._best(counts), "samples": counts.total()}
            for tid, counts in self._found.items()
        ]

    @staticmethod
    def _best(counts: Counter[str]) -> str:
        """Return the library, if a thread was met in one; a region says less."""
        named = Counter({name: count for name, count in counts.items() if name != "OpenMP"})
        return (named or counts).most_common(1)[0][0]


def of_started(
    started: Iterable[tuple[int, int, int]], known: Iterable[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the threads of pools by how they were started, with those that are known already.

    Args:
        started: Id of a thread, id of the one that started it, and the address of its first
            function, which is the library's own.
        known: Threads of pools, as `Pools.data` returns them.
    """
    found = {one["tid"]: one for one in known}
    started = list(started)
    files = _files([address for _, _, address in started])
    for (tid, starter, _), file in zip(started, files, strict=True):
        library = LIBRARIES.match(file)
        if library:
            for one in (tid, starter):
                found.setdefault(one, {"tid": one, "pool": library[0], "samples": 0})
    return list(found.values())


def _files(addresses: list[int]) -> list[str]:
    """Return the name of the file that each of these addresses of this process is in, or ""."""
    found = [""] * len(addresses)
    text = Path("/proc/self/maps").read_text(errors="replace")
    for line in text.splitlines():
        span, *_, path = line.split(maxsplit=5)
        low, _, high = span.partition("-")
        for place, address in enumerate(addresses):
            if int(low, 16) <= address < int(high, 16):
                found[place] = path.rpartition("/")[2]
    return found
