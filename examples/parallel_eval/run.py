"""Evaluate a native function on native threads, with and without a Python callback.

Prints one line a way: the way, the checksum of all outputs, and the seconds it took.
"""

from __future__ import annotations

import argparse
import os
import struct
import time
import zlib

import parallel_eval


def fingerprint(value: float, rounds: int) -> int:
    """Scramble the digits of a number: the work that a callback does, in pure Python."""
    state = int(abs(value) * 2**52)
    for _ in range(rounds):
        state = (state * 6364136223846793005 + 1442695040888963407) & 0xFFFF_FFFF_FFFF_FFFF
    return state


class Collector:
    """Takes the outputs one by one, in any order and from any thread."""

    def __init__(self, count: int, rounds: int) -> None:
        """Make room for ``count`` outputs; each will cost ``rounds`` rounds of Python."""
        self.rounds = rounds
        self.outputs = [0.0] * count
        self.fingerprints = [0] * count

    def on_output(self, index: int, output: float) -> None:
        """Keep one output and its fingerprint; no two calls share an index."""
        self.fingerprints[index] = fingerprint(output, self.rounds)
        self.outputs[index] = output


def native_way(
    evaluator: parallel_eval.Evaluator, inputs: list[float], options: argparse.Namespace
) -> list[float]:
    """No callback: the threads never need the GIL."""
    outputs: list[float] = evaluator.lyapunov_map(inputs, steps=options.work)
    return outputs


def callback_way(
    evaluator: parallel_eval.Evaluator, inputs: list[float], options: argparse.Namespace
) -> list[float]:
    """A callback on each output: every output takes the GIL once."""
    collector = Collector(len(inputs), options.callback_work)
    evaluator.lyapunov_map(inputs, steps=options.work, callback=collector.on_output)
    return collector.outputs


def batch_way(
    evaluator: parallel_eval.Evaluator, inputs: list[float], options: argparse.Namespace
) -> list[float]:
    """The same callbacks, but the GIL is taken once for a batch of outputs."""
    collector = Collector(len(inputs), options.callback_work)
    evaluator.lyapunov_map(
        inputs, steps=options.work, callback=collector.on_output, batch=options.batch
    )
    return collector.outputs


WAYS = {"native": native_way, "callback": callback_way, "batch": batch_way}


def checksum(outputs: list[float]) -> str:
    """CRC-32 of all outputs, bit by bit: one lost or changed output shows."""
    return f"{zlib.crc32(struct.pack(f'<{len(outputs)}d', *outputs)):08x}"


def positive(text: str) -> int:
    """Parse a whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def way_names(text: str) -> list[str]:
    """Parse a comma-separated list of ways."""
    names = text.split(",")
    for name in names:
        if name not in WAYS:
            raise argparse.ArgumentTypeError(f"no way {name!r}; there are {', '.join(WAYS)}")
    return names


def parse() -> argparse.Namespace:
    """Parse the command line."""
    threads = os.environ.get("GILSCOPE_THREADS") or str(max(4, min(8, os.cpu_count() or 1)))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--ways", type=way_names, default="native,callback,batch", help="ways, in this order")
    add("--threads", type=positive, default=threads, help="native threads")
    add("--inputs", type=positive, default=3000, help="number of inputs")
    add("--work", type=positive, default=2000, help="native steps an input")
    add("--callback-work", type=positive, default=300, help="Python rounds a callback")
    add("--batch", type=positive, default=50, help="outputs a GIL acquire, in the batch way")
    return parser.parse_args()


def main() -> None:
    """Run the ways one after the other on one pool."""
    options = parse()
    evaluator = parallel_eval.Evaluator(options.threads)
    inputs = [2.5 + 1.5 * i / options.inputs for i in range(options.inputs)]
    for name in options.ways:
        start = time.perf_counter()
        outputs = WAYS[name](evaluator, inputs, options)
        seconds = time.perf_counter() - start
        print(f"{name:<8}  checksum {checksum(outputs)}  {seconds:.3f} s", flush=True)


if __name__ == "__main__":
    main()
