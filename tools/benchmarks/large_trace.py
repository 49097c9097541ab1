"""Write a trace of any size, for the benchmarks of what reads traces.

    .venv/bin/python tools/benchmarks/large_trace.py 10000000 out/large.gilscope

Eight threads hand the GIL round. Three times in four a thread waits for it, the fourth time it
waits for a lock that its predecessor gives up. In nine records there are eight intervals and one
wake. The chunks are as large as the probe's, and sealed.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gilscope.trace import format as fmt

if TYPE_CHECKING:
    from typing import BinaryIO

    import numpy.typing as npt

THREADS = 8
LOCKS = 16
TURN = 1000  # ns from one holder to the next one
CYCLE = 9  # records of a thread in four turns of its own
ALIGNMENT = 4096
CHUNK = 256 * 1024
RECORDS = (CHUNK - fmt.CHUNK_HEADER_SIZE) // fmt.EVENT_SIZE
START_MONOTONIC, START_REALTIME = 5_000_000_000_000, 1_750_000_000_000_000_000
START = 7_000_000_000_000  # ticks, which are ns here


def write(path: Path, events: int) -> None:
    """Write a trace of so many event records."""
    with path.open("wb") as out:
        _Writer(out).write(events)


class _Writer:
    """Writes one trace, chunk by chunk."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._sequence = 0

    def write(self, events: int) -> None:
        """Write everything."""
        self._out.write(_header())
        known = {"gilscope": "0.1.0", "python": "3.13.5", "executable": "python3"}
        build = {"argv": ["large.py"], "free_threaded": False, "gil_enabled": True}
        self._chunk(fmt.Chunk.METADATA, json.dumps(known | build).encode())
        self._chunk(fmt.Chunk.DEFINITIONS, _definitions())
        self._chunk(fmt.Chunk.THREADS, b"".join(_slot(k) for k in range(THREADS)))
        each = [events // THREADS + (k < events % THREADS) for k in range(THREADS)]
        for first in range(0, max(each, default=0), RECORDS):
            for k, total in enumerate(each):
                numbers = np.arange(first, min(first + RECORDS, total))
                if len(numbers):
                    self._chunk(fmt.Chunk.EVENTS, _records(k, numbers).tobytes(), k + 1)
        turns = (max(each, default=0) // CYCLE + 2) * 4 * THREADS
        end = {"stop_ticks": START + turns * TURN, "gil_enabled": True, "dropped_events": 0}
        self._chunk(fmt.Chunk.END, json.dumps(end | {"reason": "stop"}).encode())

    def _chunk(self, kind: int, payload: bytes, thread: int = 0) -> None:
        self._sequence += 1
        size = fmt.CHUNK_HEADER_SIZE + len(payload)
        size += -size % ALIGNMENT
        head = np.zeros(1, fmt.CHUNK_HEADER)
        head["magic"], head["kind"], head["size"] = fmt.CHUNK_MAGIC, kind, size
        head["thread"], head["sequence"], head["open_ticks"] = thread, self._sequence, START
        checked = head.view(np.uint8)[: fmt.CHUNK_CHECKSUMMED]
        head["header_checksum"] = fmt.checksum(checked)
        head["state"], head["used"] = fmt.SEALED, len(payload)
        head["checksum"] = fmt.checksum(np.frombuffer(payload, np.uint8))
        self._out.write(head.tobytes())
        self._out.write(payload.ljust(size - fmt.CHUNK_HEADER_SIZE, b"\0"))


def _header() -> bytes:
    head: Any = np.zeros(1, fmt.HEADER)
    head["magic"], head["version_major"], head["version_minor"] = fmt.MAGIC, 1, fmt.VERSION_MINOR
    head["header_size"] = head["alignment"] = ALIGNMENT
    head["event_size"], head["slot_size"] = fmt.EVENT_SIZE, fmt.SLOT_SIZE
    head["flags"], head["clock"] = fmt.HeaderFlag.GIL_ENABLED, fmt.Clock.MONOTONIC
    head["machine"], head["pid"], head["python"] = 62, 4000, 0x030D05F0
    head["start_ticks"], head["ticks_per_second"] = START, 1_000_000_000
    head["start_monotonic"], head["start_realtime"] = START_MONOTONIC, START_REALTIME
    head["session"] = 7
    head["checksum"] = fmt.checksum(head.view(np.uint8)[: fmt.HEADER_CHECKSUMMED])
    return bytes(head.tobytes().ljust(ALIGNMENT, b"\0"))


def _definitions() -> bytes:
    bodies = [(fmt.Tag.GIL, struct.pack("<IIQq", 1, 0, 0x5000, 0))]
    for lock in range(1, LOCKS + 1):
        fixed = struct.pack("<IHHQQII", lock, 4, 0, 0x7F0000000000 + 64 * lock, 0, 0, 0)
        bodies.append((fmt.Tag.LOCK, fixed))
    for k in range(THREADS):
        name = f"worker {k}".encode()
        bodies.append((fmt.Tag.THREAD_NAME, struct.pack("<II", k + 1, len(name)) + name))
    padded = [(tag, body + bytes(-len(body) % 8)) for tag, body in bodies]
    return b"".join(struct.pack("<HHI", tag, 0, 8 + len(body)) + body for tag, body in padded)


def _slot(k: int) -> bytes:
    slot = np.zeros(1, fmt.slot_dtype())
    slot["thread"], slot["tid"], slot["start_ticks"] = k + 1, 4000 + k, START
    slot["flags"] = fmt.ThreadFlag.MAIN if k == 0 else fmt.ThreadFlag.PYTHON
    return slot.tobytes()


def _records(k: int, numbers: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """The records of a thread with these numbers, in the order in which it writes them."""
    place = numbers % CYCLE  # 0, 2, 4, 6 waits, 1, 3, 5, 8 holds, 7 the wake inside the last one
    turn = numbers // CYCLE * 4 + np.minimum(place // 2, 3)
    begin = (turn * THREADS + k) * TURN + THREADS * TURN  # so that no wait begins before the start
    wake, hold = place == CYCLE - 2, np.isin(place, (1, 3, 5, 8))
    # The last thread wakes the first one in that one's next turn.
    on_lock = (place == 0 if k == 0 else place == 2 * 3) & (turn > 0)
    records = np.zeros(len(numbers), fmt.event_dtype())
    gil_kind = np.where(hold, fmt.Event.GIL_HOLD, fmt.Event.GIL_WAIT)
    lock_kind = np.where(wake, fmt.Event.LOCK_WAKE, fmt.Event.LOCK_WAIT)
    records["kind"] = np.where(wake | on_lock, lock_kind, gil_kind)
    cycle = turn // 4 - (on_lock & (k == 0))
    records["what"] = np.where(wake | on_lock, 1 + cycle % LOCKS, 1)
    start = np.where(hold, begin + 20, begin - 3 * TURN)
    end = np.where(hold, begin + TURN - 5, np.where(on_lock, begin - TURN // 2, begin + 20))
    start, end = np.where(wake, begin + TURN // 2 - 10, start), np.where(wake, 0, end)
    records["start"] = start + START
    records["duration"] = np.where(wake, 0, end - start)
    before, after = (k - 1) % THREADS + 1, (k + 1) % THREADS + 1
    records["peer"] = np.where(hold, 0, np.where(wake, after, before))
    return records


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("events", type=int)
    parser.add_argument("path", type=Path)
    options = parser.parse_args()
    write(options.path, options.events)
    return 0


if __name__ == "__main__":
    sys.exit(main())
