"""``gilscope doctor``: checks whether gilscope works here. Standard library only."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gilscope.cli.plain import say
from gilscope.config import BUILDS, DEFAULT_BUILDS, PYTHON_OPTIONS
from gilscope.errors import InterpreterError
from gilscope.runner.interpreters import environment, find

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from gilscope.runner.interpreters import Discovery, Interpreter

CHECK_SECONDS = 60
NOT_MEASURED = "not measured"
MADE_LATER = "; `gilscope compare` makes one in gilscope's cache, which takes some minutes"

# Runs in the interpreter that is examined; what stands in the working directory is not imported.
CHECK = """
import sys
if not sys.flags.safe_path:
    del sys.path[0]
sys.path += sys.argv[1:]
import json
from gilscope.target.recording import session
from gilscope.errors import GilscopeError
from gilscope.cli.plain import say
found = {}
try:
    found["self_test"] = session.self_test()
    found["hooks"] = session.hooks()
except GilscopeError as error:
    found["error"] = str(error)
found["gil_enabled"] = sys._is_gil_enabled()
print(json.dumps(found))
"""


@dataclass
class Diagnosis:
    """The diagnosis of one build.

    Attributes:
        build: ``gil`` or ``ft``.
        python: The interpreter's version; None if there is none.
        executable: Its path.
        source: Where it was found.
        refused: Interpreters that cannot be used, and why.
        advice: What to do if there is none.
        error: Why the probe cannot run in it, or why one that was named is none.
        self_test: Outcome by class of event.
        hooks: Function, file and number of slots of each hook.
    """

    build: str
    python: str | None = None
    executable: str | None = None
    source: str | None = None
    refused: list[str] = field(default_factory=list)
    advice: str | None = None
    error: str | None = None
    self_test: dict[str, str] = field(default_factory=dict)
    hooks: list[tuple[str, str, int]] = field(default_factory=list)

    @property
    def broken(self) -> bool:
        """Whether one was found or named in which the probe cannot measure all of its core."""
        lost = any(outcome.startswith(NOT_MEASURED) for outcome in self.self_test.values())
        return self.error is not None or lost


def add(commands: Any) -> None:
    """Add the command to the subparsers ``commands``."""
    parser = commands.add_parser(
        "doctor",
        help="check whether gilscope works here",
        description="Show the interpreters that were found, the hooks that can be installed in "
        "them, and the result of the probe's self-test for each class of event.",
        epilog="Exit status: 0, 1 if the probe cannot run in an interpreter that was found or a "
        "class of event is not measured there, or if one that was named cannot be used, 2 if no "
        "interpreter was found.",
    )
    for build, name in PYTHON_OPTIONS.items():
        parser.add_argument(
            name, dest=f"python_{build}", metavar="PATH", help=f"interpreter, {BUILDS[build]}"
        )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Examine both builds and print what was found.

    Raises:
        InterpreterError: No interpreter was found for any build.
    """
    diagnoses = [_examine(build, getattr(options, f"python_{build}")) for build in DEFAULT_BUILDS]
    if options.json:
        print(json.dumps([asdict(diagnosis) for diagnosis in diagnoses], indent=2))
    else:
        parts = [text(diagnosis) for diagnosis in diagnoses]
        from gilscope.runner.advice import different_versions  # noqa: PLC0415 - as below

        different = different_versions({one.build: one.python for one in diagnoses if one.python})
        say("\n\n".join([*parts, *([f"note: {different}"] if different else [])]))
    if all(diagnosis.executable is None for diagnosis in diagnoses):
        raise InterpreterError("found no interpreter that has gilscope")
    return 1 if any(diagnosis.broken for diagnosis in diagnoses) else 0


def check(pythons: Mapping[str, Path]) -> int:
    """Say in a line for each build whether the probe works there; return the exit status.

    Args:
        pythons: The interpreter of each build, ``gil`` and ``ft``.
    """
    diagnoses = [_examine(build, str(path)) for build, path in sorted(pythons.items())]
    for diagnosis in diagnoses:
        where = f"{BUILDS[diagnosis.build]}: {diagnosis.executable} ({diagnosis.python})"
        trouble = diagnosis.error or diagnosis.advice or _lost(diagnosis)
        say(f"{where}: {trouble or 'gilscope works here'}")
    return 1 if any(found.broken or not found.executable for found in diagnoses) else 0


def _lost(diagnosis: Diagnosis) -> str:
    """Name the classes of events that are not measured."""
    lost = [name for name, said in diagnosis.self_test.items() if said.startswith(NOT_MEASURED)]
    return f"{', '.join(lost)} not measured; `gilscope doctor` says why" if lost else ""


def _examine(build: str, explicit: str | None) -> Diagnosis:
    # Not above: every command loads this module, `gilscope run` in the program's own process.
    from gilscope.runner.provisioning import provided  # noqa: PLC0415

    bare: list[Path] = []

    def in_cache(python: Path) -> Path | None:
        """Return a gilscope that was made for an interpreter before; nothing is made here."""
        found = provided(python)
        bare.extend([python] if found is None else [])
        return found

    try:
        discovery = find(build, explicit, in_cache)
    except InterpreterError as error:
        if bare:
            return Diagnosis(build, advice=f"{error}{MADE_LATER}")
        return Diagnosis(build, error=str(error))
    refused = [f"{refusal.reason} ({refusal.source})" for refusal in discovery.refusals]
    if discovery.interpreter is None:
        advice = f"{discovery.advice}{MADE_LATER if bare else ''}"
        return Diagnosis(build, refused=refused, advice=advice)
    return _probe(discovery, discovery.interpreter, refused)


def _probe(discovery: Discovery, interpreter: Interpreter, refused: list[str]) -> Diagnosis:
    """Try the probe out in ``interpreter``; a crash there is a diagnosis."""
    diagnosis = Diagnosis(
        discovery.build,
        interpreter.version,
        str(interpreter.path),
        interpreter.source,
        refused=refused,
    )
    try:
        done = subprocess.run(
            [interpreter.path, "-c", CHECK, *filter(None, [interpreter.library])],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env=environment(),
            timeout=CHECK_SECONDS,
            check=True,
        )
        found = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, LookupError) as error:
        diagnosis.error = f"the self-test of the probe crashed: {error}"
        return diagnosis
    diagnosis.error = found.get("error")
    diagnosis.self_test = found.get("self_test", {})
    diagnosis.hooks = [tuple(hook) for hook in found.get("hooks", [])]
    if found["gil_enabled"] != (discovery.build == "gil"):
        diagnosis.error = "importing the probe turned the GIL on"
    return diagnosis


def text(diagnosis: Diagnosis) -> str:
    """Return what was found as text."""
    title = BUILDS[diagnosis.build]
    lines = [
        f"{title}: {diagnosis.executable} ({diagnosis.python}, {diagnosis.source})"
        if diagnosis.executable
        else f"{title}: none",
        *(f"  refused: {reason}" for reason in diagnosis.refused),
        *([f"  {diagnosis.advice}"] if diagnosis.advice else []),
        *([f"  error: {diagnosis.error}"] if diagnosis.error else []),
        *(f"  self-test  {name:<14} {outcome}" for name, outcome in diagnosis.self_test.items()),
        *(f"  hook       {_hook(*hook)}" for hook in diagnosis.hooks),
    ]
    return "\n".join(lines)


def _hook(function: str, file: str, slots: int) -> str:
    """Say whether calls of ``function`` from ``file`` can be hooked."""
    # Each interpreter waits with one of several functions; the others have no slot, and need none.
    state = "ok" if slots else "not called"
    return f"{function:<24} {state:<11} {Path(file).name}"
