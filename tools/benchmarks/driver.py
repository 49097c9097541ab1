"""Times one workload in this process, bare and under each profiler, in turns.

    python driver.py WORKLOAD --rounds N --variants bare,gilscope,… --out DIRECTORY

Prints one JSON object: {"times": {variant: [value a round]}, "facts": {…}}; values are seconds, for
`pairs` nanoseconds a pair. A profiler that cannot be used is left out and named in the facts.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import os
import queue
import random
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    type Workload = Callable[[], float]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PAIRS = 200_000
PASSES = 40_000  # of items between Python threads; so many that a run takes a second
PYSPY_START_S = 20


def timed(function: Callable[[], object]) -> Workload:
    """Make a workload of a function: its wall time in seconds."""

    def run() -> float:
        begin = time.perf_counter()
        function()
        return time.perf_counter() - begin

    return run


def example(name: str, *arguments: str) -> Workload:
    """The main function of an example's script, with what it prints thrown away."""
    spec = importlib.util.spec_from_file_location(name + "_run", EXAMPLES / name / "run.py")
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - it is a file
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run() -> None:
        sys.argv = ["run.py", *arguments]
        with contextlib.redirect_stdout(io.StringIO()):
            module.main()

    return timed(run)


def python_threads() -> Workload:
    """Four threads that compute, hand items to each other and share a lock; no native code."""

    def work(inbox: queue.SimpleQueue[int], outbox: queue.SimpleQueue[int]) -> None:
        total = 0
        for _ in range(PASSES):
            total += sum(i * i for i in range(200))
            outbox.put(total)
            inbox.get()

    def run() -> None:
        queues: list[queue.SimpleQueue[int]] = [queue.SimpleQueue() for _ in range(4)]
        ends = [(queues[i], queues[(i + 1) % 4]) for i in range(4)]
        threads = [threading.Thread(target=work, args=pair) for pair in ends]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return timed(run)


def pairs() -> Workload:
    """An uncontended release and acquire of the GIL, ns; the best of some short series."""
    import pairs as native  # noqa: PLC0415 - compiled for this workload

    return lambda: min(native.pair(PAIRS // 10) for _ in range(10))


WORKLOADS: dict[str, Callable[[], Workload]] = {
    "pairs": pairs,
    "native_logging": lambda: example("native_logging", "--threads=4", "--records=40000"),
    "parallel_eval": lambda: example(
        "parallel_eval", "--threads=4", "--ways=callback", "--inputs=30000"
    ),
    "python_threads": python_threads,
}


@contextlib.contextmanager
def bare(_out: Path) -> Iterator[None]:
    """No profiler."""
    yield


@contextlib.contextmanager
def gilscope(out: Path) -> Iterator[None]:
    """Our probe; the latest trace stays."""
    from gilscope.target.recording import session as probe  # noqa: PLC0415 - a variant may be missing

    probe.start(out / "latest.gilscope")
    try:
        yield
    finally:
        probe.stop()


@contextlib.contextmanager
def viztracer(_out: Path) -> Iterator[None]:
    """VizTracer: every Python function call."""
    from viztracer import VizTracer  # noqa: PLC0415 - a variant may be missing

    tracer = VizTracer(verbose=0, tracer_entries=1_000_000)
    tracer.start()
    try:
        yield
    finally:
        tracer.stop()
        tracer.clear()


@contextlib.contextmanager
def gilknocker(_out: Path) -> Iterator[None]:
    """A thread that asks for the GIL now and then and sees how long it takes."""
    from gilknocker import KnockKnock  # noqa: PLC0415 - a variant may be missing

    knocker = KnockKnock()
    knocker.start()
    try:
        yield
    finally:
        knocker.stop()


@contextlib.contextmanager
def pyspy(out: Path) -> Iterator[None]:
    """py-spy record, 100 samples a second, from another process."""
    tool = Path(sys.executable).with_name("py-spy")
    command = [tool, "record", "--pid", str(os.getpid()), "-d", "60", "-f", "raw"]
    command += ["-o", str(out / "pyspy.txt")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None  # noqa: S101 - it was asked for
    deadline = time.monotonic() + PYSPY_START_S
    said = ""
    while "Sampling" not in said and process.poll() is None and time.monotonic() < deadline:
        said += process.stdout.readline()
    try:
        if process.poll() is not None:
            raise OSError(said + process.stdout.read())
        yield
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=PYSPY_START_S)


VARIANTS = {f.__name__: f for f in (bare, gilscope, viztracer, gilknocker, pyspy)}


def in_turns(
    workload: Workload, variants: list[str], rounds: int, out: Path
) -> tuple[dict[str, list[float]], dict[str, list[float]], dict[str, str]]:
    """Run the workload under each variant once a round, in an order drawn anew.

    Returns:
        What the workload measures; seconds of processor time of this process; what failed.
    """
    times: dict[str, list[float]] = {name: [] for name in variants}
    busy: dict[str, list[float]] = {name: [] for name in variants}
    failed: dict[str, str] = {}
    draw = random.Random(1)  # noqa: S311 - no secret
    workload()  # warm
    for _ in range(rounds):
        for name in draw.sample(variants, len(variants)):
            if name in failed:
                continue
            try:
                with VARIANTS[name](out):
                    begin = time.process_time()
                    measured = workload()
                    busy[name].append(time.process_time() - begin)
                    times[name].append(measured)
            except (ImportError, OSError) as error:
                failed[name] = str(error).strip().splitlines()[-1] if str(error) else repr(error)
    for name in failed:
        del times[name], busy[name]
    return times, busy, failed


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--variants", default="bare,gilscope")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    # The C library takes locks at less cost in a process that never had a second thread.
    second = threading.Thread(target=int)
    second.start()
    second.join()
    workload = WORKLOADS[options.workload]()
    workload()
    # Before any profiler was ever started in this process.
    before = [workload() for _ in range(max(3, options.rounds // 3))]
    variants = options.variants.split(",")
    times, busy, failed = in_turns(workload, variants, options.rounds, options.out)
    facts: dict[str, object] = {
        "python": sys.version.split()[0],
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "before": before,
        "failed": failed,
    }
    if options.workload == "pairs":
        import pairs as native  # noqa: PLC0415 - compiled for this workload

        facts["two_stamps"] = min(native.two_stamps(PAIRS // 10) for _ in range(10))
    print(json.dumps({"times": times, "busy": busy, "facts": facts}))


if __name__ == "__main__":
    main()
