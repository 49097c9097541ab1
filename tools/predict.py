#!/usr/bin/env python3
"""Hold predicted speed-ups of programs of many kinds against measured ones.

Writes docs/prediction.md.

    .venv/bin/python tools/predict.py [--out docs/prediction.md] [--repeat 7]

Takes an environment with gilscope and the examples for each build, which `make prediction` makes.
Exit status: 0, 1 if a program could not be compared, 2 if nothing could be run.
"""
# ruff: noqa: PLC0415 - what gilscope needs may be missing, which is then said in words

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
BUILDS = ("gil", "ft-gil", "ft")
KINDS = "tests/cases/prediction/programs.py"
PROGRAMS: dict[str, tuple[str, Sequence[str]]] = {
    "native_logging": ("examples/native_logging/run.py", ()),
    "parallel_eval": ("examples/parallel_eval/run.py", ("--ways", "callback")),
    "alternatives": ("examples/alternatives/run.py", ("--way", "small")),
    "two threads compute in Python": (KINDS, ("python_2",)),
    "eight threads": (KINDS, ("python_8",)),
    "one has three times as much to do": (KINDS, ("python_uneven",)),
    "half of the work in one thread": (KINDS, ("python_then_parallel",)),
    "all of it": (KINDS, ("one_thread",)),
    "an executor, small tasks": (KINDS, ("pool_of_tasks",)),
    "dicts and strings": (KINDS, ("words",)),
    "hashing, no GIL, no callbacks": (KINDS, ("native_hash",)),
    "compression and Python in turns": (KINDS, ("native_and_python",)),
    "native code that keeps the GIL": (KINDS, ("native_with_the_gil",)),
    "threads that sleep": (KINDS, ("sleeps",)),
    "a thread that reads a file": (KINDS, ("reads",)),
    "all of it with one lock": (KINDS, ("one_lock",)),
    "a tenth with one lock": (KINDS, ("short_lock",)),
    "a queue between two threads": (KINDS, ("pipeline",)),
    "reference counts of one object": (KINDS, ("shared_object",)),
    "four threads write to one dict": (KINDS, ("shared_dict",)),
}
HEAD = ("program", "measured", "predicted", "inside", "error", "build alone", "replay alone")
TEXT = """\
# Predicting the speed-up without the GIL

`gilscope compare` says, from the trace of the GIL build, what speed-up to expect without the GIL,
and shows next to it what was measured. This page holds one against the other for {count} programs
of different kinds; `make prediction` remakes it. They are in `examples/` and `{kinds}`.

**In {inside} of {count} the measured speed-up lies in the predicted range.**

## How

The trace is replayed ({package}/analysis/prediction/predict.py):

- What a thread did while it held the GIL, or ran without it, takes as much of a processor as
  before. Threads share the processors evenly. How much of a processor a thread got, and how long it
  slept outside of Python, is known from the kernel's samples of it, as a sum for about every tenth
  of a second.
- Waits for the GIL are left out.
- A wait for a lock, an event, a queue or a thread's end is over when the thread that ended it in
  the trace has come to that point. Where that is not known, or the wait timed out, it takes as
  long as before.
- Native code that waits for its own threads where no hook sees it looks as if it ran. Such a wait
  is inferred where other threads are idle before, at work in between, and done when it comes
  back.
- The processor time that the kernel counted in the run takes at least as long as on all processors
  at once: no speed-up is above the number of processors divided by the measured parallelism. Nor is
  any above the number of processors: where all of them were idle, the trace does not tell whether
  that was for the GIL or for other processes.

Two things are not in the trace of the GIL build, and come from other runs of the comparison:

- **The free-threaded build runs the same code at another speed.** The `ft-gil` run measures that,
  and too much of it: with its GIL on, the build also pays for handing the GIL over. The prediction
  takes the square root of what it measures, half of the cost; the range has all of it and none.
- **Threads contend for objects that the GIL kept apart.** The trace of the run without the GIL has
  the waits for such locks. It also has how much more processor time the same work took than in the
  `ft-gil` run: for spinning and for cache lines. The prediction is lowered by both.

## How sure

The range comes from assumptions that the traces do not decide:

- Threads that were waited for together, and finished together, are taken to share their work as a
  pool does. The range has the replays in which all such threads do, and in which none do.
- What runs without the GIL needs a processor, as far as the samples do not say that the thread
  slept. The range has the replay in which it needs none, as if it waited for a disk or a network.
- The samples are sums. The range has the replay without them, in which threads shared the
  processors evenly.
- The cost of the build, as above, with the 95 % interval of its measurement.
- Single runs differ. The range is wider by what the quartiles of the runs of the GIL build differ
  from their median, and by 10 % at least.
- Other processes take as much of the processors as they did on average while the builds ran. If
  that is more than a tenth, more threads may get no more of them: the range has no gain, too.

## Predicted and measured

{table}

"measured" is the ratio of median wall times with its 95 % interval; "predicted" is what is to be
expected with the cost of the build and with contention, and its range; "error" says by how much it
is above (+) or below (-) "measured"; "build alone" is the free-threaded build with its GIL on;
"replay alone" is the replay of the GIL build's trace without either.

CPython {pythons}; {cpus} processors; {repeat} runs of each kind, of which the other processes of
the machine took {others} of the processors' time. {busy}
"""
BUSY = "That is a lot: the times, and with them the errors, say little."
BUSY_SHARE = 0.1


def compare(arguments: tuple[str, Sequence[str]], title: str, repeat: int) -> dict[str, Any]:
    """Run one program under all builds; return its summary."""
    import gilscope

    def progress(line: str) -> None:
        print(f"{title}: {line}", file=sys.stderr, flush=True)

    name, args = arguments
    script = ROOT / name
    comparison = gilscope.compare(
        script, args, builds=BUILDS, repeat=repeat, title=title, progress=progress
    )
    return comparison.summary()


def row(title: str, summary: dict[str, Any]) -> list[str]:
    """Return the cells of one program."""
    found = summary["prediction"]
    alone = next((run for run in summary["runs"] if run["build"] == "ft-gil"), None)
    if found is None or summary["speedup"] is None:
        return [title, *(["–"] * (len(HEAD) - 1))]
    return [
        title,
        factor(summary["speedup"], summary["speedup_interval"]),
        factor(found["speedup_with_build"], found["speedup_with_build_range"]),
        "yes" if is_inside(summary) else "**no**",
        share(found["error_with_build"]),
        factor(alone["speedup"], alone["speedup_interval"]) if alone else "–",
        factor(found["speedup"], found["speedup_range"]),
    ]


def is_inside(summary: dict[str, Any]) -> bool:
    """Return whether the measured speed-up lies in the predicted range."""
    found, measured = summary["prediction"], summary["speedup"]
    within = found["speedup_with_build_range"] if found else None
    return bool(within and measured and within[0] <= measured <= within[1])


def share(value: float | None) -> str:
    """Return an error with its sign."""
    return "–" if value is None else f"{value:+.0%}"


def factor(value: float | None, interval: Sequence[float] | None) -> str:
    """Return a speed-up and within what it lies."""
    if value is None:
        return "–"
    return f"{value:.2f}" + (f" ({interval[0]:.2f} to {interval[1]:.2f})" if interval else "")


def table(summaries: dict[str, dict[str, Any]]) -> str:
    """Return the table in Markdown."""
    rows = [HEAD, ["---"] * len(HEAD), *(row(*item) for item in summaries.items())]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def document(summaries: dict[str, dict[str, Any]], repeat: int) -> str:
    """Return the whole page."""
    machines = [summary["machine"] for summary in summaries.values()]
    shares = [m["others_cpus"] / len(m["cpus"]) for m in machines if m["others_cpus"] is not None]
    pythons = {run["python"] for summary in summaries.values() for run in summary["runs"]}
    busy = bool(shares) and max(shares) > BUSY_SHARE
    text = TEXT.format(
        package="profiler/gilscope",
        kinds=KINDS,
        count=len(summaries),
        inside=sum(map(is_inside, summaries.values())),
        table=table(summaries),
        pythons=", ".join(sorted(pythons)),
        cpus=len(machines[0]["cpus"]),
        repeat=repeat,
        others=f"{min(shares):.0%} to {max(shares):.0%}" if shares else "an unknown part",
        busy=BUSY if busy else "",
    )
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def run(options: argparse.Namespace) -> int:
    """Compare all programs and write the page; return the exit status."""
    summaries = {
        title: compare(program, title, options.repeat) for title, program in PROGRAMS.items()
    }
    text = document(summaries, options.repeat)
    options.out.write_text(text, encoding="utf-8")
    print(table(summaries))
    inside = sum(map(is_inside, summaries.values()))
    print(f"\ninside the range: {inside} of {len(summaries)}")
    print(f"written: {options.out}")
    return 0 if all(summary["speedup"] for summary in summaries.values()) else 1


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    out = ROOT / "docs" / "prediction.md"
    parser.add_argument("--out", type=Path, default=out, help="file")
    parser.add_argument("--repeat", type=int, default=7, help="runs of each kind a build")
    options = parser.parse_args()
    try:
        from gilscope.errors import GilscopeError
    except ImportError:
        hint = "make prediction"
        print(f"predict: gilscope is not installed for {sys.executable}: {hint}", file=sys.stderr)
        return 2
    try:
        return run(options)
    except GilscopeError as error:
        print(f"predict: error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"predict: error: {error.filename} cannot be written: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 2


if __name__ == "__main__":
    sys.exit(main())
