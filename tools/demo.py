#!/usr/bin/env python3
"""Compare both examples under both builds and write everything that gilscope makes of it.

    .venv/bin/python tools/demo.py [--out out/demo] [--repeat 3]

Takes an environment with gilscope and the examples for each build, which `make demo` provides. Exit
status: 0, 1 if a build is missing or an example failed under one, 2 if nothing could be run.
"""
# ruff: noqa: PLC0415 - what gilscope needs may be missing, which is then said in words

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gilscope.presentation import Comparison

ROOT = Path(__file__).resolve().parent.parent
BUILDS = ("gil", "ft")
EXAMPLES = ("native_logging", "parallel_eval")
SUFFIXES = {"chrome": ".chrome.json", "perfetto": ".perfetto-trace"}


def compare(name: str, out: Path, repeat: int) -> Comparison:
    """Run one example under both builds; its traces are kept in ``out``."""
    import gilscope

    def progress(line: str) -> None:
        print(f"{name}: {line}", file=sys.stderr, flush=True)

    script = ROOT / "examples" / name / "run.py"
    return gilscope.compare(
        script, repeat=repeat, out_dir=out, name=name, title=name, progress=progress
    )


def write(comparisons: dict[str, Comparison], out: Path) -> Path:
    """Write the exports of each run, the report and the summary of all; return the report."""
    from gilscope.export import export_file
    from gilscope.view.html.report import write_report

    for name, comparison in comparisons.items():
        for build, trace in comparison.traces():
            for format_name, suffix in SUFFIXES.items():
                path = out / f"{name}-{build}{suffix}"
                export_file([trace], format_name, path, force=True)
    summaries = {name: comparison.summary() for name, comparison in comparisons.items()}
    text = json.dumps({"examples": summaries}, indent=2) + "\n"
    (out / "summary.json").write_text(text, encoding="utf-8")
    report = out / "report.html"
    write_report(
        list(comparisons.values()), report, title="gilscope: what the GIL costs a native callback"
    )
    return report


def run(options: argparse.Namespace) -> int:
    """Do it all; return the exit status."""
    out = options.out
    comparisons = {name: compare(name, out, options.repeat) for name in EXAMPLES}
    report = write(comparisons, out)
    for name, comparison in comparisons.items():
        print(f"\n=== {comparison.summary_text()}\n{comparison.findings_text()}")
        for failed in comparison.failed:
            print(f"{name}, {failed.build}:\n{failed.stderr}", file=sys.stderr)
    print(f"\nThe timelines: {report.resolve()}\nThe numbers:   {(out / 'summary.json').resolve()}")
    complete = all(len(c.traces()) == len(BUILDS) and not c.failed for c in comparisons.values())
    return 0 if complete else 1


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "demo", help="directory")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each kind a build")
    options = parser.parse_args()
    try:
        from gilscope.errors import GilscopeError
    except ImportError:
        print(f"demo: gilscope is not installed for {sys.executable}: make demo", file=sys.stderr)
        return 2
    try:
        return run(options)
    except GilscopeError as error:
        print(f"demo: error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"demo: error: {error.filename} cannot be written: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 2


if __name__ == "__main__":
    sys.exit(main())
