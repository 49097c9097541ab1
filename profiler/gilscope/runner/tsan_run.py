"""Runs a program under an interpreter that is built for ThreadSanitizer. Standard library only."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.errors import ProbeError
from gilscope.race import Races
from gilscope.runner.tsan_reports import race_of, reports

if TYPE_CHECKING:
    from gilscope.race import Race
    from gilscope.runner.tsan_interpreter import Sanitized
    from gilscope.target.worker.program import Target

SYMBOL = b"__tsan_"
SETUP = "build it with `gilscope setup --tsan PROJECT`"

# Runs the program as `python PROGRAM` would, and writes down at its end what it has loaded.
BOOT = """
import atexit, json, os, sys
facts, kind, value = sys.argv[1:4]
del sys.argv[:3]
@atexit.register
def write():
    loaded = [(name, getattr(getattr(module, "__spec__", None), "origin", None))
              for name, module in list(sys.modules.items())]
    found = {"gil": sys._is_gil_enabled(), "standard": os.path.dirname(os.__file__),
             "extensions": [[name, origin] for name, origin in loaded
                            if isinstance(origin, str) and origin.endswith(".so")]}
    with open(facts, "w") as file:
        json.dump(found, file)
if kind == "script":
    import runpy
    sys.argv[0] = value
    sys.path[0] = os.path.dirname(os.path.abspath(value))
    runpy.run_path(value, run_name="__main__")
elif kind == "module":
    import runpy
    sys.path[0] = os.getcwd()
    runpy.run_module(value, run_name="__main__", alter_sys=True)
else:
    sys.argv[0] = "-c"
    exec(compile(value, "<string>", "exec"), {"__name__": "__main__", "__builtins__": __builtins__})
"""


def find_native_races(target: Target, interpreter: Sanitized) -> tuple[Races, int]:
    """Run the program; return the races of its extensions, and its exit status.

    Raises:
        ProbeError: The run could not have found any, and why.
    """
    target.check()
    with tempfile.TemporaryDirectory(prefix=".gilscope-") as folder:
        place = Path(folder)
        options = [f"log_path={place / 'report'}", "exitcode=0", "history_size=5"]
        if interpreter.suppressions:
            options.append(f"suppressions={interpreter.suppressions}")
        words = interpreter.command(
            "-c", BOOT, place / "facts.json", target.kind, target.value, *target.args
        )
        given = os.environ.get("TSAN_OPTIONS", "")
        env = {**os.environ, "TSAN_OPTIONS": " ".join([given, *options]).strip()}
        status = subprocess.run(words, env=env, check=False).returncode
        extensions = _extensions(place / "facts.json")
        text = "".join(
            path.read_text(encoding="utf-8", errors="replace")
            for path in sorted(place.glob("report.*"))
        )
    return _races(text, extensions), status


def _extensions(path: Path) -> dict[str, Path]:
    """Return the program's extension modules by name: those that are not the interpreter's own.

    Raises:
        ProbeError: The run could not have found a race.
    """
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ProbeError(
            "the program ended by os._exit or a signal, so gilscope does not know which extensions "
            "it had loaded: the absence of races proves nothing"
        ) from None
    found = {
        name: Path(origin)
        for name, origin in facts["extensions"]
        if not origin.startswith(facts["standard"] + "/lib-dynload")
    }
    if not found:
        raise ProbeError("the program loaded no extension module, so there is no race to be found")
    bare = [name for name, origin in found.items() if not is_instrumented(origin)]
    if len(bare) == len(found):
        raise ProbeError(
            f"not built for ThreadSanitizer: {', '.join(sorted(bare))}. No race could be found: "
            + SETUP
        )
    if facts["gil"]:
        raise ProbeError(
            "the GIL was on when the program ended, and orders the threads: an extension turned it "
            "on that does not declare Py_MOD_GIL_NOT_USED, or it was asked for (PYTHON_GIL)"
        )
    return found


def is_instrumented(path: Path) -> bool:
    """Return whether a shared object was built for ThreadSanitizer: it calls its runtime."""
    try:
        return SYMBOL in path.read_bytes()
    except OSError:
        return False


def _races(text: str, extensions: dict[str, Path]) -> Races:
    own = {path.name for path in extensions.values() if is_instrumented(path)}
    found = Races()
    left_out = 0
    for report in reports(text):
        race = race_of(report) if report.is_about(own.__contains__) else None
        if race is None:
            left_out += 1
        else:
            found.races.append(race)
    found.races = _merged(found.races)
    found.counts = {"left_out_reports": left_out}
    found.not_watched = [
        f"{name} is not built for ThreadSanitizer: {SETUP}"
        for name, path in sorted(extensions.items())
        if not is_instrumented(path)
    ]
    return found


def _merged(races: list[Race]) -> list[Race]:
    """Count races of the same lines as one."""
    known: dict[Any, Race] = {}
    for race in races:
        key = frozenset(access.place for access in race.accesses)
        before = known.get(key)
        known[key] = replace(before, count=before.count + 1) if before else race
    return list(known.values())
