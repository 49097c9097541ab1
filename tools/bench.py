#!/usr/bin/env python3
"""Measure what gilscope costs, next to other profilers, and print a table.

    .venv/bin/python tools/bench.py [--rounds 15] [--only NAME …] [--out out/bench.json]

Everything is a ratio, or a difference, of runs that take turns in one process. Takes the
environment that `make bench` provides. The exit status does not depend on what was measured.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "tools" / "benchmarks"
BUILD = ROOT / "build" / "bench"
HELPERS = ("pairs", "contended")
CONTENDED = ("gil_wait", "lock_wait", "callback")
PEERS = ("viztracer", "gilknocker", "pyspy")
PATIENCE_S = 600  # for one workload
BUILDS = {"gil": "GILSCOPE_PYTHON", "ft": "GILSCOPE_FT_PYTHON"}
WATCHED_TARGETS = {
    "races": {"accesses": 5, "outside": 1.05, "scheduler": 4, "parser": 4, "callback": 1.3},
    "lock-order": {"acquisitions": 1.1},
}
WORKLOADS = ("native_logging", "parallel_eval", "python_threads")
LONG_WAIT_NS = 10_000
MILLIONS = (1, 10, 100)  # of intervals, in traces that are read
READS = ("open", "intervals", "perfetto")
COMMANDS = ("findings", "top", "report", "diff", "pack", "merge", "parquet")
STEPS = READS + COMMANDS
EXPORT_BYTES = 450  # on the disk for each event, trace, export and large arrays together
READING_TARGETS: dict[tuple[str, int], tuple[float, float]] = {  # seconds, MB
    ("open", 10): (0.3, 1074),
    ("open", 100): (2, 1074),
    ("perfetto", 10): (15, 500),
}
COMMAND_MB = 2000  # of memory, for traces of any size


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        name: dotted, stable.
        value: in ``unit``.
        unit: "ns", "ms", "s", "1/s", "x" (a ratio), "bytes", "MB", "px", "%".
        target: at most (for "%": at least) this; None if there is none.
        met: whether the target is met; None without one.
        quartiles: the lower and the upper one of the rounds; None for counts.
        spread: half the distance between them.
    """

    name: str
    value: float
    unit: str
    target: float | None = None
    met: bool | None = None
    quartiles: tuple[float, float] | None = None
    spread: float | None = None


def row(
    name: str, values: list[float], unit: str, target: float | None = None, *, least: bool = False
) -> Row:
    """Median and quartiles of the values of all rounds."""
    value = statistics.median(values)
    quartiles, spread = None, None
    if len(values) > 1:
        low, _, high = statistics.quantiles(values, n=4)
        quartiles, spread = (low, high), (high - low) / 2
    met = None if target is None else (value >= target if least else value <= target)
    return Row(name, value, unit, target, met, quartiles, spread)


def compile_helpers() -> None:
    """Compile the native helpers for this interpreter."""
    BUILD.mkdir(parents=True, exist_ok=True)
    include = sysconfig.get_path("include")
    options = ["-O2", "-shared", "-fPIC", "-w", f"-I{include}"]
    for name in HELPERS:
        target = BUILD / (name + sysconfig.get_config_var("EXT_SUFFIX"))
        source = BENCHMARKS / f"{name}.c"
        command = ["gcc", *options, str(source), "-o", str(target)]
        subprocess.run(command, check=True)


def analysis_rows(_rounds: int) -> list[Row]:
    """Time and memory of the analysis of made-up traces."""
    from benchmarks import analysis_bench  # noqa: PLC0415 - takes numpy

    return [row(name, [value], unit) for name, value, unit in analysis_bench.rows()]


def run_helper(program: str, *words: str) -> dict[str, Any]:
    """Run a program of this folder, which finds the native helpers; what it prints at its end."""
    inherited = os.environ.get("PYTHONPATH")
    path = os.pathsep.join(filter(None, [str(BUILD), inherited]))
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / program), *words, "--out", str(BUILD)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
        timeout=PATIENCE_S,
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def drive(workload: str, variants: tuple[str, ...], rounds: int) -> dict[str, Any]:
    """Run the driver in a process of its own."""
    print(f"bench: {workload}: {', '.join(variants)}", file=sys.stderr, flush=True)
    words = [workload, "--rounds", str(rounds), "--variants", ",".join(variants)]
    result = run_helper("driver.py", *words)
    for name, reason in result["facts"]["failed"].items():
        print(f"bench: {workload}: {name} left out: {reason}", file=sys.stderr)
    return result


def pair_rows(rounds: int) -> list[Row]:
    """What is added to an uncontended release and acquire of the GIL."""
    result = drive("pairs", ("bare", "gilscope"), max(rounds, 25))
    times, facts = result["times"], result["facts"]
    pairs = list(zip(times["bare"], times["gilscope"], strict=True))
    return [
        row("pair.bare", times["bare"], "ns"),
        row("pair.added", [probed - bare for bare, probed in pairs], "ns", 35),
        row("pair.two_time_stamps", [facts["two_stamps"]], "ns"),
        after_stop("pair", result),
    ]


def contended_rows(rounds: int) -> list[Row]:
    """What is added to a wait for the GIL and for a lock, with their stacks, and to a callback."""
    rows: list[Row] = []
    for kind in CONTENDED:
        print(f"bench: contended: {kind}", file=sys.stderr, flush=True)
        result = run_helper("contended_bench.py", kind, "--rounds", str(rounds))
        pairs = list(zip(result["bare"], result["gilscope"], strict=True))
        name = f"contended.{kind}"
        rows += [
            row(f"{name}.bare", result["bare"], "ns"),
            row(f"{name}.added", [probed - bare for bare, probed in pairs], "ns"),
            row(name, [probed / bare for bare, probed in pairs], "x"),
        ]
        if result["stacks"] is not None:
            rows.append(row(f"{name}.stacks", [100 * result["stacks"]], "%", 100, least=True))
    return rows


def attached_rows(rounds: int) -> list[Row]:
    """What a service pays while it is attached to with a trigger on, and what its watcher takes."""
    print("bench: attached", file=sys.stderr, flush=True)
    result = run_helper("attached_bench.py", "--rounds", str(rounds))
    pairs = {
        name: list(zip(values["bare"], values["attached"], strict=True))
        for name, values in result.items()
        if "bare" in values
    }
    return [
        row("attached.processor", [more / less for less, more in pairs["processor"]], "x"),
        row("attached.latency_p50.bare", [1e6 * less for less, _ in pairs["p50"]], "us"),
        row("attached.latency_p50", [more / less for less, more in pairs["p50"]], "x"),
        row("attached.latency_p99.bare", [1e6 * less for less, _ in pairs["p99"]], "us"),
        row("attached.latency_p99", [more / less for less, more in pairs["p99"]], "x"),
        row("attached.watcher", [100 * share for share in result["watcher"]["attached"]], "%"),
    ]


def sampling_rows(rounds: int) -> list[Row]:
    """What samples of a program's instructions cost it."""
    print("bench: sampling", file=sys.stderr, flush=True)
    result = run_helper("sampling_bench.py", "--rounds", str(min(rounds, 9)))
    pairs = list(zip(result["sampled"], result["unsampled"], strict=True))
    return [row("sampling.processor", [more / less for more, less in pairs], "x", 1.02)]


def watched_rows(command: str) -> list[Row]:
    """How much longer programs take under a command: the fastest of runs in turns."""
    rows = []
    for build, variable in BUILDS.items():
        print(f"bench: {command}, {build}", file=sys.stderr, flush=True)
        done = subprocess.run(
            [os.environ[variable], str(BENCHMARKS / "watched_bench.py"), command],
            stdout=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_S,
            check=True,
        )
        for line in done.stdout.splitlines():
            one = json.loads(line)
            name = one["program"]
            target = WATCHED_TARGETS[command][name]
            rows.append(row(f"{command}.{build}.{name}", [one["ratio"]], "x", target))
    return rows


def after_stop(name: str, result: dict[str, Any]) -> Row:
    """The workload after the probe was stopped, by the workload before its first start."""
    before = statistics.median(result["facts"]["before"])
    return row(f"{name}.after_stop", [t / before for t in result["times"]["bare"]], "x")


def slowdown_rows(workload: str, rounds: int) -> list[Row]:
    """What each profiler makes of a workload's wall time."""
    result = drive(workload, ("bare", "gilscope", *PEERS), rounds)
    times = result["times"]
    rows = [after_stop(workload, result)]
    for name, values in times.items():
        if name == "bare":
            continue
        ratios = [value / base for value, base in zip(values, times["bare"], strict=True)]
        rows.append(row(f"{workload}.{name}", ratios, "x", 1.02 if name == "gilscope" else None))
        # On a shared machine processor time depends less on others, who take turns with us, and the
        # fastest runs were held up least.
        spent = zip(result["busy"][name], result["busy"]["bare"], strict=True)
        rows.append(row(f"{workload}.{name}.processor", [more / less for more, less in spent], "x"))
        rows.append(Row(f"{workload}.{name}.fastest", min(values) / min(times["bare"]), "x"))
    return rows + trace_rows(workload)


def trace_rows(workload: str) -> list[Row]:
    """What is in the workload's latest trace, and how large it is."""
    import gilscope  # noqa: PLC0415 - installed in the environment that this runs in
    from gilscope.trace.format import EVENT_SIZE, Event  # noqa: PLC0415

    path = BUILD / "latest.gilscope"
    trace = gilscope.open(path)
    intervals = trace.intervals
    waits = (intervals.kind == Event.GIL_WAIT) | (intervals.kind == Event.LOCK_WAIT)
    long = waits & (intervals.duration > LONG_WAIT_NS)
    stacks = intervals.stack[long] != 0
    share = [100 * float(stacks.mean())] if len(stacks) else []
    packed = BUILD / "latest.packed.gilscope"
    command = [sys.executable, "-m", "gilscope", "pack", str(path), "-o", str(packed), "--force"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    events = len(intervals) + len(trace.wakes)
    rows = [row(f"{workload}.stacks_of_long_waits", share, "%", 100, least=True)] if share else []
    return [
        *rows,
        row(f"{workload}.events", [events], "events"),
        row(f"{workload}.dropped", [trace.dropped_events], "events", 0),
        row("event.in_memory", [EVENT_SIZE], "bytes", 32),
        row(f"{workload}.event_packed", [packed.stat().st_size / max(events, 1)], "bytes", 16),
    ]


def server_rows(rounds: int) -> list[Row]:
    """What a server under load pays for a ring: requests a second, and the slowest of 100."""
    command = [sys.executable, str(BENCHMARKS / "server_bench.py"), "--rounds", str(rounds)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE_S
    )
    rows = []
    for route, figures in json.loads(done.stdout).items():
        bare, ring = figures["bare"], figures["ring"]
        for name, found in figures.items():
            rows.append(row(f"server.{route}.{name}.requests", found["requests"], "1/s"))
            times = [1e3 * seconds for seconds in found["p99"]]
            rows.append(row(f"server.{route}.{name}.p99", times, "ms"))
        more = [less / own for less, own in zip(bare["requests"], ring["requests"], strict=True)]
        rows.append(row(f"server.{route}.time_a_request", more, "x", 1.05))
        spent = zip(bare["processor"], ring["processor"], strict=True)
        busy = [own / less for less, own in spent]
        rows.append(row(f"server.{route}.processor_a_request", busy, "x", 1.05))
        later = [own / less for less, own in zip(bare["p99"], ring["p99"], strict=True)]
        rows.append(row(f"server.{route}.p99", later, "x", 1.1))
    return rows


def start_stop_rows(rounds: int) -> list[Row]:
    """What a start, a stop and a fork take, also in a process with 300 more loaded objects."""
    command = [sys.executable, str(BENCHMARKS / "start_stop.py"), str(rounds)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE_S
    )
    times: dict[str, dict[str, list[int]]] = json.loads(done.stdout)
    targets = {"start": 10.0, "stop": 10.0}
    return [
        row(f"start_stop.{objects}_objects.{step}", [ns / 1e6 for ns in values], "ms", target)
        for objects, steps in times.items()
        for step, values in steps.items()
        for target in [targets.get(step) if objects == "many" else None]
    ]


def reading_rows(_rounds: int) -> list[Row]:
    """Time and peak memory of opening, loading and exporting, and how they grow."""
    rows: list[Row] = []
    for millions in MILLIONS:
        events = millions * 1_000_000 * 9 // 8  # eight in nine are intervals
        with tempfile.TemporaryDirectory(dir=BUILD) as folder:
            if shutil.disk_usage(folder).free < EXPORT_BYTES * events:
                print(f"bench: reading: {millions} M left out: no room", file=sys.stderr)
                continue
            path = str(Path(folder) / "large.gilscope")
            helper = str(BENCHMARKS / "large_trace.py")
            subprocess.run([sys.executable, helper, str(events), path], check=True)
            for step in STEPS:
                rows += step_rows(step, millions, path)
    value = {each.name: each.value for each in rows}
    for step in STEPS:
        for less, more in ((1, 10), (10, 100)):
            # Other programs take their share of the clock's seconds, and not always the same.
            names = [f"reading.{step}.{n}m.processor" for n in (less, more)]
            if names[1] in value:
                ratio = value[names[1]] / value[names[0]]
                rows.append(Row(f"reading.{step}.growth_{less}m_{more}m", ratio, "x"))
    return rows


def step_rows(step: str, millions: int, path: str) -> list[Row]:
    """One step on one trace; of the quick ones the best of three, which the disk holds up least."""
    print(f"bench: reading: {step}, {millions} M", file=sys.stderr, flush=True)
    command = [sys.executable, str(BENCHMARKS / "reading.py"), step, path]
    found = []
    for _ in range(3 if step == "open" else 1):
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=True, timeout=3 * PATIENCE_S
        )
        found.append(json.loads(done.stdout))
    seconds, busy, size = (
        min(each[name] for each in found) for name in ("seconds", "processor", "bytes")
    )
    most_s, most_mb = READING_TARGETS.get((step, millions), (None, None))
    if step in COMMANDS:
        most_mb = COMMAND_MB
    name, mb = f"reading.{step}.{millions}m", size / 1e6
    more = [
        Row(f"{name}.{part}", max(each[part] for each in found) / 1e6, "MB")
        for part in (("anonymous", "files") if step in COMMANDS else ())
    ]
    return [
        *more,
        Row(f"{name}.seconds", seconds, "s", most_s, None if most_s is None else seconds <= most_s),
        Row(f"{name}.processor", busy, "s"),
        Row(f"{name}.memory", mb, "MB", most_mb, None if most_mb is None else mb <= most_mb),
    ]


def viewport_rows(rounds: int) -> list[Row]:
    """What a view of ten million intervals costs."""
    from benchmarks import viewport_bench  # noqa: PLC0415 - the reader side, slow to load

    return [row(*figure) for figure in viewport_bench.rows(rounds) if figure[1]]


def view_rows(rounds: int) -> list[Row]:
    """What a report of thousands of threads costs a browser."""
    from benchmarks import view_bench  # noqa: PLC0415 - takes a browser

    return [row(*figure) for figure in view_bench.rows(rounds)]


FIXED_COSTS: dict[str, tuple[str, str, float, float | None]] = {
    # figure: row, unit, factor, target of what the probe adds
    "busy": ("session.first_50_ms", "ms", 1e3, 1.0),
    "switches": ("session.first_50_ms_switches", "switches", 1, None),
    "thread": ("thread.start_and_join", "us", 1e6, 15),
    "many_thread": ("thread.one_of_5000", "us", 1e6, 15),
    "fork": ("fork.and_wait", "ms", 1e3, 0.3),
    "fork_wall": ("fork.and_wait_wall", "ms", 1e3, None),
    "space": ("session.address_space", "MB", 1e-6, 64),
}


def fixed_cost_rows(rounds: int) -> list[Row]:
    """What a session costs a program that does little: first moments, threads, forks, space."""
    figures: dict[str, list[float]] = {}
    for step in ("first_moments", "threads", "forks", "space"):
        print(f"bench: fixed_costs: {step}", file=sys.stderr, flush=True)
        command = [sys.executable, "-W", "ignore", str(BENCHMARKS / "fixed_costs.py"), step]
        command += ["--rounds", str(rounds)]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE_S
        )
        figures |= json.loads(done.stdout)
    rows = []
    for figure, (name, unit, factor, target) in FIXED_COSTS.items():
        bare, probed = ([factor * x for x in figures[p + figure]] for p in ("", "probed_"))
        added = [more - less for less, more in zip(bare, probed, strict=True)]
        rows += [row(f"{name}.bare", bare, unit), row(f"{name}.added", added, unit, target)]
    forks = zip(figures["fork"], figures["recorded_fork"], strict=True)
    walls = zip(figures["fork_wall"], figures["recorded_fork_wall"], strict=True)
    return [
        *rows,
        row("fork.recorded.added", [1e3 * (more - less) for less, more in forks], "ms", 2.0),
        row("fork.recorded.added_wall", [1e3 * (more - less) for less, more in walls], "ms"),
        row("fork.recorded.file", figures["recorded_bytes"], "bytes", 128 * 1024),
    ]


def show(rows: list[Row]) -> None:
    """Print the table."""
    table = Table("what", "value", "quartiles", "spread", "target", "met")
    for each in rows:
        digits = 3 if each.unit in ("x", "s") else 1
        ends = [f"{end:.{digits}f}" for end in each.quartiles or ()]
        table.add_row(
            each.name,
            f"{each.value:.{digits}f} {each.unit}",
            " to ".join(ends),
            "" if each.spread is None else f"± {each.spread / (abs(each.value) or 1):.1%}",
            "" if each.target is None else f"{each.target:g}",
            {True: "yes", False: "NO", None: ""}[each.met],
        )
    Console(width=120).print(table)


BENCHES: dict[str, Callable[[int], list[Row]]] = {
    "analysis": analysis_rows,
    "attached": attached_rows,
    "sampling": sampling_rows,
    "contended": contended_rows,
    "fixed_costs": fixed_cost_rows,
    "pair": pair_rows,
    "reading": reading_rows,
    "server": server_rows,
    "start_stop": start_stop_rows,
    **{name: (lambda _rounds, name=name: watched_rows(name)) for name in WATCHED_TARGETS},
    **{name: (lambda rounds, name=name: slowdown_rows(name, rounds)) for name in WORKLOADS},
    "view": view_rows,
    "viewport": viewport_rows,
}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="pairs of runs")
    parser.add_argument("--only", nargs="*", choices=BENCHES, default=list(BENCHES))
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench.json")
    options = parser.parse_args()
    compile_helpers()
    rows: dict[str, Row] = {}
    for name in options.only:
        rows |= {each.name: each for each in BENCHES[name](options.rounds)}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"rows": [asdict(each) for each in rows.values()]}, indent=2) + "\n"
    options.out.write_text(text, encoding="utf-8")
    show(list(rows.values()))
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
