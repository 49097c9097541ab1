"""A pool of native threads reports tiles while the main thread computes checksums."""

from __future__ import annotations

import sys
import time

import minex

done: list[int] = []


def tile_done(tile: int) -> None:
    """Note a tile."""
    done.append(tile)


def checksums(count: int, ms: int, *, polite: bool) -> None:
    """Compute some of them."""
    for _ in range(count):
        if polite:
            minex.polite_checksum(ms)
        else:
            minex.checksum(ms)
        time.sleep(0.01)


count, ms, way = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
minex.start(2, tile_done)
begin = time.perf_counter()
checksums(count, ms, polite=way == "good")
time.sleep(max(0.5 - (time.perf_counter() - begin), 0))
minex.stop()
print(len(done), "tiles in", round(time.perf_counter() - begin, 3), "s")
