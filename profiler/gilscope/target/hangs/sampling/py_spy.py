"""Samples by ``py-spy record``, put on our clock.

It is told not to stop the process (``--nonblocking``), and to show idle threads, too: which threads
run, and which wait, the probe knows better.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from typing import Any

from gilscope.target.hangs.sampling.found import Found

END_SECONDS = 10.0  # to write down what it has
BEGIN_SECONDS = 0.2
LOOK_SECONDS = 0.001
_MICROSECOND = 1_000
_COUNTED = re.compile(r"Samples: (\d+) Errors: (\d+)")


class PySpy:
    """One run of py-spy beside a process.

    It reckons times from a moment of its own, which it does not tell. That moment comes after the
    program was executed and before it begins its second thread; and the last time that it writes
    lies between the signal that ends it and its end. Where the two do not meet, the second counts.
    """

    def __init__(self, program: str, pid: int, rate: int) -> None:
        """Begin.

        Raises:
            OSError: It cannot be executed.
        """
        self._output = os.memfd_create("gilscope-py-spy")
        self._errors = os.memfd_create("gilscope-py-spy-errors")
        words = [program, "record", "--pid", str(pid), "--rate", str(rate), "--idle"]
        words += ["--nonblocking", "--full-filenames", "--format", "chrometrace"]
        words += ["--output", f"/proc/self/fd/{self._output}"]
        try:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                pass_fds=(self._output,),
                start_new_session=True,  # Ctrl-C is for the program
            )
        except OSError:
            self._close()
            raise
        self._executed = time.monotonic_ns()
        self._latest = self._began()

    def _began(self) -> int:
        """Return when it has more than one thread, or 0 if that was not seen."""
        tasks = f"/proc/{self._process.pid}/task"
        end = time.monotonic() + BEGIN_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            try:
                if len(os.listdir(tasks)) > 1:  # noqa: PTH208 - names are wanted
                    return time.monotonic_ns()
            except OSError:
                break
            time.sleep(LOOK_SECONDS)
        return 0

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself: it failed, was killed, or the process is gone."""
        return self._process.poll() is not None

    @property
    def samples(self) -> bool:
        """Whether it says that it samples, or has ended."""
        return "Sampling process" in _text(self._errors) or self.ended

    def finish(self) -> tuple[Found | None, str]:
        """End it; return what it found, or None and why it found nothing."""
        asked = time.monotonic_ns()
        if not self.ended:
            self._process.send_signal(2)
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        reaped = time.monotonic_ns()
        try:
            return self._result(asked, reaped)
        finally:
            self._close()

    def _result(self, asked: int, reaped: int) -> tuple[Found | None, str]:
        text = _text(self._output)
        code = self._process.returncode
        if code or not text.strip():
            return None, self._failure(code)
        try:
            events = json.loads(text)
            last = max((int(event["ts"]) for event in events), default=0) * _MICROSECOND
            base, error = self._base(asked - last, reaped - last)
            found = read(events, base)
        except (ValueError, LookupError, TypeError):
            return None, "py-spy's samples cannot be read"
        found.error_ns = error
        if counted := _COUNTED.search(_text(self._errors)):
            found.samples, found.failed = int(counted[1]), int(counted[2])
        return found, ""

    def _base(self, first: int, last: int) -> tuple[int, int]:
        """Return the moment that it reckons from, and how far that may be off."""
        begin, end = max(first, self._executed), last
        if self._latest:
            end = min(end, self._latest)
        if begin > end:
            begin, end = first, last
        return (begin + end) // 2, (end - begin + 1) // 2

    def _failure(self, code: int) -> str:
        if code < 0:
            return f"py-spy was ended by signal {-code}, and its samples with it"
        lines = [line for line in _text(self._errors).splitlines() if line.strip()]
        told = [line for line in lines if "rror" in line or "ermission" in line]
        said = (told or lines[-1:] or [str(code)])[0].strip()
        return f"py-spy could not sample it ({said})"

    def _close(self) -> None:
        os.close(self._output)
        os.close(self._errors)


def _text(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, size, 0).decode("utf-8", "replace") if size else ""


def read(events: list[dict[str, Any]], base: int) -> Found:
    """Read what ``py-spy record --format chrometrace`` writes.

    Args:
        events: Begins and ends of frames, in µs; its newer versions number the threads, and say in
            a thread's name which one it is.
        base: The moment that it reckons from, ns.
    """
    found = Found("py-spy", "ident")
    idents: dict[int, int] = {}
    stacks: dict[int, list[int]] = {}
    since: dict[int, int] = {}
    for event in events:
        thread, kind = int(event["tid"]), event["ph"]
        if kind == "M":
            if event["name"] == "thread_name":
                idents[thread] = int(event["args"]["name"].partition(":")[0])
            continue
        now = base + int(event["ts"]) * _MICROSECOND
        stack = stacks.setdefault(thread, [])
        if since.get(thread, now) < now and stack:
            number = found.stack(tuple(reversed(stack)))
            found.add(idents.get(thread, thread), since[thread], now, number)
        since[thread] = now
        if kind == "E":
            stack.pop()
        elif kind == "B":
            args = event["args"]
            stack.append(found.place((args["filename"], int(args["line"] or 0), event["name"])))
    return found


def version(program: str) -> str:
    """Return the version of a py-spy, such as ``py-spy 0.4.3``."""
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "py-spy"
    return done.stdout.strip() or "py-spy"
