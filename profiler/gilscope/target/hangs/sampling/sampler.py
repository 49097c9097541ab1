"""Has a process sampled while it is recorded: by py-spy, else by our own reader.

Lives in the watcher of the recording, and begins and ends the process that takes the samples.
"""

from __future__ import annotations

import select
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gilscope.target.hangs.sampling.found import Found, of, payload
from gilscope.target.hangs.sampling.py_spy import PySpy, version

if TYPE_CHECKING:
    from collections.abc import Mapping

END_SECONDS = 10.0
ALLOW = (
    "allow it by sysctl kernel.yama.ptrace_scope=0, in a container by docker run --cap-add "
    "SYS_PTRACE"
)
_CODE = """
import sys
sys.path.insert(0, sys.argv[1])
from gilscope.target.hangs.sampling.own import main
main()
"""


class Sampler:
    """Samples one recording."""

    def __init__(self, pid: int, config: Mapping[str, object]) -> None:
        """Begin.

        Args:
            pid: The process.
            config: ``rate``: a second; ``py_spy``: the program, or ""; ``free_threaded``: whether
                the build is one that py-spy cannot read.
        """
        self._pid, self._rate = pid, int(str(config["rate"]))
        self._program = str(config["py_spy"])
        self._notes: list[str] = []
        self._py_spy: PySpy | None = None
        self._own: subprocess.Popen[bytes] | None = None
        self._found: Found | None = None
        if config["free_threaded"]:
            self._notes.append(
                "py-spy cannot read free-threaded builds: gilscope's own reader took the samples"
            )
        elif not self._program:
            self._notes.append(
                "py-spy is not installed (pip install py-spy): gilscope's own reader took the "
                "samples"
            )
        else:
            self._begin_py_spy()
        if self._py_spy is None:
            self._begin_own()

    def _begin_py_spy(self) -> None:
        try:
            self._py_spy = PySpy(self._program, self._pid, self._rate)
        except OSError as error:
            self._notes.append(f"py-spy cannot be executed ({error.strerror})")

    def _begin_own(self) -> None:
        package = str(Path(__file__).parents[4])
        words = [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", _CODE, package]
        try:
            self._own = subprocess.Popen(
                [*words, str(self._pid), str(self._rate)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            self._notes.append(f"gilscope's own reader cannot be executed ({error.strerror})")

    @property
    def ready(self) -> bool:
        """Whether it takes samples, or nothing does."""
        if self._py_spy is not None:
            return self._py_spy.samples
        if self._own is None or self._own.stdout is None:
            return True
        return bool(select.select([self._own.stdout], [], [], 0)[0])

    def look(self) -> None:
        """Have our own reader go on where py-spy has ended, while the process lives."""
        if self._py_spy is not None and self._py_spy.ended:
            py_spy, self._py_spy = self._py_spy, None
            found, why = py_spy.finish()
            if found is None:
                self._notes.append(f"{why}: gilscope's own reader took the samples from then on")
                self._begin_own()
            else:
                self._found = found

    def finish(self) -> bytes:
        """End it; return the payload of the chunk."""
        found = self._found
        if self._py_spy is not None:
            found, why = self._py_spy.finish()
            if found is None:
                self._notes.append(why)
        elif self._own is not None:
            found = self._finish_own()
        if found is None:
            found = Found("", "tid")
            self._notes.append(f"no samples; if a permission is missing, {ALLOW}")
        elif found.by == "py-spy":
            found.by = version(self._program)
        if found.full:
            self._notes.append("no room for more samples")
        return payload(found, self._rate, self._notes)

    def _finish_own(self) -> Found | None:
        assert self._own is not None  # noqa: S101 - for the type checker
        try:
            out, errors = self._own.communicate(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            self._own.kill()
            out, errors = self._own.communicate()
        try:
            return of(out.decode())
        except ValueError:
            lines = errors.decode(errors="replace").strip().splitlines()
            why = lines[-1] if lines else f"it ended with {self._own.returncode}"
            self._notes.append(f"gilscope's own reader took no samples ({why})")
            return None
