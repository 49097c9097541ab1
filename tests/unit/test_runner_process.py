"""Processes of workers: what they print, how they end, what they leave behind."""

from __future__ import annotations

import os
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from gilscope.runner import process

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

TIMEOUT_S = 30.0


def run(code: str, **options: Any) -> process.Ended:
    """Run Python code."""
    settings: dict[str, Any] = {
        "cwd": None,
        "env": os.environ,
        "timeout": TIMEOUT_S,
        "output": None,
        **options,
    }
    return process.run([sys.executable, "-c", code], **settings)


def up_when_it_prints(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Options for a program whose time is up once it prints: the clock stands still until then."""
    printed: list[str] = []

    def monotonic() -> float:
        return time.monotonic() + TIMEOUT_S if printed else 0.0

    monkeypatch.setattr(process, "time", SimpleNamespace(monotonic=monotonic, sleep=time.sleep))
    return {"output": lambda _, text: printed.append(text)}


def test_streams_and_status() -> None:
    """Each stream is kept apart, and the status is the process's."""
    ended = run("import sys; print('o'); print('e', file=sys.stderr); sys.exit(5)")
    assert ended == process.Ended(5, "o\n", "e\n", timed_out=False)


def test_signals_are_negative() -> None:
    """As subprocess has it."""
    assert run("import os; os.kill(os.getpid(), 9)").status == -9


def test_output_comes_while_the_process_runs() -> None:
    """What is printed is passed on before the process ends: it waits for the answer."""
    reading, writing = os.pipe()
    os.set_inheritable(reading, True)  # noqa: FBT003 - os has no names for it
    taken: list[tuple[str, str]] = []

    def output(stream: str, text: str) -> None:
        taken.append((stream, text))
        os.write(writing, b"x")

    # pass_fds is not offered: the pipe is reached through /proc.
    code = f"print('hello', flush=True); open('/proc/{os.getpid()}/fd/{reading}', 'rb').read(1)"
    try:
        assert run(code, output=output).status == 0
    finally:
        os.close(reading)
        os.close(writing)
    assert "".join(text for _, text in taken) == "hello\n"


def test_characters_cut_by_a_read_are_put_together() -> None:
    """Bytes of one character may come in two pieces, and the last may never come."""
    stream = process.Stream("stdout", None)
    for byte in "aé€".encode() + b"\xe2":
        assert stream.take(bytes([byte]))
    assert not stream.take(b"")
    assert stream.finish() == "aé€\N{REPLACEMENT CHARACTER}"


def test_long_output_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept is bounded; what is passed on is not."""
    monkeypatch.setattr(process, "KEPT_OUTPUT", 10)
    taken: list[str] = []
    ended = run("print('x' * 100)", output=lambda _, text: taken.append(text))
    assert ended.stdout == "x" * 10 + process.CUT
    assert "".join(taken) == "x" * 100 + "\n"


def test_nothing_can_be_read() -> None:
    """Standard input is empty, so that repetitions see the same."""
    assert run("import sys; print(repr(sys.stdin.read()))").stdout == "''\n"


def test_a_child_that_holds_the_pipes_is_not_waited_for() -> None:
    """A process has ended when it has ended, whatever it started."""
    code = "import subprocess as s; print(s.Popen(['sleep', '60']).pid)"
    ended = run(code)
    os.kill(int(ended.stdout), 9)
    assert not ended.timed_out


def test_time_limit_ends_the_process_and_its_children(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An interrupt first, so that it can tell where it was; then all of its group is gone."""
    code = (
        "import subprocess as s, threading\n"
        "print(s.Popen(['sleep', '60']).pid, flush=True)\n"
        "threading.Event().wait()"
    )
    monkeypatch.setattr(process, "GRACE_SECONDS", TIMEOUT_S)
    ended = run(code, cwd=tmp_path, **up_when_it_prints(monkeypatch))
    assert ended.timed_out
    assert "KeyboardInterrupt" in ended.stderr
    # A signal that was sent is obeyed when the machine gets round to it.
    link, end = f"/proc/{int(ended.stdout)}/fd/0", time.monotonic() + 30
    while os.path.exists(link) and time.monotonic() < end:  # noqa: PTH110 - a link
        time.sleep(0.01)
    assert not os.path.exists(link)  # noqa: PTH110 - a link


def test_force_ends_what_ignores_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither SIGINT nor SIGTERM can be ignored for long."""
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.2)
    code = (
        "import signal, time\n"
        "for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, signal.SIG_IGN)\n"
        "print(flush=True)\n"
        "time.sleep(60)"
    )
    ended = run(code, **up_when_it_prints(monkeypatch))
    assert (ended.timed_out, ended.status) == (True, -9)


def test_an_interrupt_of_the_listener_ends_the_process() -> None:
    """An interrupt that comes while output is shown leaves no process behind."""
    pids: list[int] = []

    def output(_: str, text: str) -> None:
        pids.append(int(text))
        raise KeyboardInterrupt

    ended = run("import os, time; print(os.getpid(), flush=True); time.sleep(60)", output=output)
    assert ended.interrupted
    assert "KeyboardInterrupt" in ended.stderr
    assert not os.path.exists(f"/proc/{pids[0]}")  # noqa: PTH110
