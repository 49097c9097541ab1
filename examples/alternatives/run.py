"""Find the runs of equal bytes in a text, in pieces, by whatever workers there are.

Prints one line a way: the way, the checksum of what was found, and the seconds it took.
"""

from __future__ import annotations

import argparse
import random
import time
import zlib
from typing import TYPE_CHECKING

import gilscope

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor

SEED = 20


def text(size: int) -> bytes:
    """Make a text of runs; always the same."""
    source = random.Random(SEED)  # noqa: S311 - nothing is hidden with it
    return bytes(source.choices(b"aab", k=size))


def longest_run(piece: Sequence[int]) -> tuple[int, int]:
    """Return the byte that occurs most often in a row, and how often: pure Python."""
    best, length, before = (0, 0), 0, -1
    for byte in piece:
        length = length + 1 if byte == before else 1
        before = byte
        if length > best[1]:
            best = byte, length
    return best


def longest_run_made(size: int) -> tuple[int, int]:
    """Do the same with a text that the worker makes itself: next to nothing is sent."""
    return longest_run(text(size))


def small(pool: Executor, options: argparse.Namespace) -> list[tuple[int, int]]:
    """Small payloads: a number goes to a worker, a pair comes back."""
    return list(pool.map(longest_run_made, [options.bytes] * options.pieces))


def large(pool: Executor, options: argparse.Namespace) -> list[tuple[int, int]]:
    """Large payloads: each worker gets its piece of one text, as a memoryview."""
    whole = memoryview(text(options.bytes) * options.pieces)
    pieces = [whole[n * options.bytes :][: options.bytes] for n in range(options.pieces)]
    return list(pool.map(longest_run, pieces))


WAYS = {"small": small, "large": large}


def positive(words: str) -> int:
    """Parse a whole number of at least 1."""
    value = int(words)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--way", choices=[*WAYS, "both"], default="both", help="what is sent to the workers")
    add("--pieces", type=positive, default=16, help="pieces of work")
    add("--bytes", type=positive, default=200_000, help="of a piece")
    add("--workers", type=positive, default=4, help="workers; GILSCOPE_THREADS overrides it")
    return parser.parse_args()


def main() -> None:
    """Run the ways one after the other on one pool."""
    options = parse()
    with gilscope.executor(options.workers) as pool:
        for name in WAYS if options.way == "both" else [options.way]:
            start = time.perf_counter()
            found = WAYS[name](pool, options)
            seconds = time.perf_counter() - start
            checksum = zlib.crc32(repr(found).encode())
            print(f"{name}  checksum {checksum:08x}  {seconds:.3f} s", flush=True)


if __name__ == "__main__":
    main()
