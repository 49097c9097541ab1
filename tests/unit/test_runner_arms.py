"""How runs are ordered, judged and chosen; the worker's process is replaced."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gilscope.config import THREADS_VARIABLE
from gilscope.errors import Interrupted, TargetError
from gilscope.runner import arms, process
from gilscope.runner.arm import Options
from gilscope.runner.interpreters import Interpreter
from gilscope.target.worker.program import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GIL = Interpreter("gil", Path("/py"), "3.13.5", "test")
FT = Interpreter("ft", Path("/pyt"), "3.13.5", "test")
CODE = Target("code", "pass")

environments: list[dict[str, str]] = []
"""The environment of each worker that was started."""

type Worker = Callable[[dict[str, Any], str], tuple[int, dict[str, Any] | None]]


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """Build and probe state of each job, done by a worker that always succeeds."""
    done: list[tuple[str, bool]] = []
    use(monkeypatch, lambda _job, _: (0, {"wall_ns": 1000 + len(done)}), done)
    return done


def use(
    monkeypatch: pytest.MonkeyPatch, worker: Worker, done: list[tuple[str, bool]] | None = None
) -> None:
    """Let ``worker`` take the place of the worker's process."""

    def run(command: Sequence[Any], **more: Any) -> process.Ended:
        interpreter, _, _, job_path, result_path = command
        environments.append(dict(more["env"]))
        job = json.loads(job_path.read_text())
        if done is not None:
            done.append((str(interpreter), job["trace"] is not None))
        if job["trace"]:
            Path(job["trace"]).write_bytes(b"trace")
        status, result = worker(job, str(interpreter))
        if result is not None:
            result_path.write_text(json.dumps(result))
        return process.Ended(status, "out", "err")

    monkeypatch.setattr(process, "run", run)


def test_the_arms_take_turns(tmp_path: Path, jobs: list[tuple[str, bool]]) -> None:
    """One run each with the probe on, then off and on by turns."""
    arms.run_arms(CODE, [GIL, FT], tmp_path, Options(repeat=2))
    probed = [True, False, True, False, True]
    assert jobs == [(path, state) for state in probed for path in ("/py", "/pyt")]


def test_numbers_of_threads_take_turns(tmp_path: Path, jobs: list[tuple[str, bool]]) -> None:
    """Each number of threads is an arm; only the highest is warmed up and recorded."""
    environments.clear()
    found = arms.run_arms(CODE, [GIL, FT], tmp_path, Options(repeat=2, threads=(1, 4, 2)))
    assert [(arm.interpreter.build, arm.threads) for arm in found if arm.recorded] == [
        ("gil", 4),
        ("ft", 4),
    ]
    both = ["/py", "/pyt"]
    a_round = [(path, False) for path in 3 * both] + [(path, True) for path in both]
    assert jobs == [(path, True) for path in both] + 2 * a_round
    told = [env[THREADS_VARIABLE] for env in environments[:8:2]]
    assert told == ["4", "1", "4", "2"]
    assert {len(arm.counted(probed=False)) for arm in found} == {2}
    assert found[0].title == "GIL build, 1 thread"


@pytest.mark.parametrize(
    ("seconds", "repeat", "probed"),
    [
        (11, 3, [True, False, True, False]),
        (9, 3, [True, False, True, False, True, False, True]),
        (11, 1, [True, False, True]),
    ],
)
def test_a_long_run_makes_the_others_fewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: int, repeat: int, probed: list[bool]
) -> None:
    """Timed twice and recorded once; never more often than asked for."""
    done: list[tuple[str, bool]] = []
    lines: list[str] = []
    use(monkeypatch, lambda _job, _: (0, {"wall_ns": seconds * 10**9}), done)
    options = Options(repeat=repeat, fewer_after=10, progress=lines.append)
    found = arms.run_arms(CODE, [GIL], tmp_path, options)
    assert [state for _, state in done] == probed
    assert lines[-1].startswith(f"[{len(probed)}/{len(probed)}] ")
    assert arms.long_run(found, options) == (seconds if len(probed) == 4 else None)


def test_only_one_build_is_told_to_turn_the_gil_on(
    tmp_path: Path, jobs: list[tuple[str, bool]]
) -> None:
    """By the interpreter's own variable."""
    environments.clear()
    forced = Interpreter("ft-gil", Path("/pyt"), "3.13.5", "test")
    arms.run_arms(CODE, [GIL, forced, FT], tmp_path, Options(repeat=1))
    assert [env.get("PYTHON_GIL") for env in environments[:3]] == [None, "1", None]
    assert jobs


def test_a_program_that_leaves_by_os_exit_is_not_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It did not fail, but there is no time, and there would be none the next time."""
    use(monkeypatch, lambda _job, _: (0, None))
    [arm] = arms.run_arms(CODE, [GIL], tmp_path, Options(repeat=2))
    [attempt] = arm.attempts
    assert (attempt.error, attempt.wall_ns) == (None, None)
    assert attempt.untimed == "the program ended by os._exit, so it was not timed"
    assert arm.failure is None


@pytest.mark.usefixtures("jobs")
def test_the_first_run_does_not_count(tmp_path: Path) -> None:
    """It warms up."""
    [arm] = arms.run_arms(CODE, [GIL], tmp_path, Options(repeat=2))
    assert [a.wall_ns for a in arm.counted(probed=False)] == [1002, 1004]
    assert [a.wall_ns for a in arm.counted(probed=True)] == [1003, 1005]


def test_the_median_recording_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the fastest nor the slowest stands for the others."""
    walls = iter([1, 0, 30, 0, 10, 0, 20])
    use(monkeypatch, lambda _job, _: (0, {"wall_ns": next(walls)}))
    [arm] = arms.run_arms(CODE, [GIL], tmp_path, Options(repeat=3))
    assert arm.representative().wall_ns == 20


def test_an_arm_that_fails_is_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one goes on, and the failed run is the one that is shown."""
    use(monkeypatch, lambda _job, path: (int(path == "/py"), {"wall_ns": 5, "error": None}))
    gil, ft = arms.run_arms(CODE, [GIL, FT], tmp_path, Options(repeat=1))
    assert (len(gil.attempts), len(ft.attempts)) == (1, 3)
    assert gil.failure is gil.representative()
    assert gil.representative().error == "exit status 1"
    assert ft.failure is None


@pytest.mark.parametrize(
    ("status", "result", "error"),
    [
        (0, {"wall_ns": 1}, None),
        (-11, None, "ended by SIGSEGV"),
        (-11, {"wall_ns": 1}, "ended by SIGSEGV after its end, while the interpreter shut down"),
        (-64, None, "ended by SIGRTMAX"),
        (1, {"wall_ns": 1, "error": "ValueError: x"}, "ValueError: x"),
        (2, {"probe_error": "no room"}, "the probe failed: no room"),
        (3, None, "ended by os._exit with status 3, so it was not timed"),
        (4, {"wall_ns": 1}, "exit status 4"),
    ],
)
def test_how_a_run_ended(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    result: dict[str, Any] | None,
    error: str | None,
) -> None:
    """One line says it."""
    use(monkeypatch, lambda _job, _: (status, result))
    [arm] = arms.run_arms(CODE, [GIL], tmp_path, Options(repeat=1))
    assert arm.attempts[0].error == error
    assert arm.attempts[0].status == status
    assert arm.attempts[0].trace


@pytest.mark.parametrize(("when", "kept"), [(1, [1, 0]), (2, [1, 1]), (3, [1, 1]), (5, [2, 2])])
def test_an_interrupt_keeps_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: int, kept: list[int]
) -> None:
    """A run that was cut short counts only where an arm has no other."""
    use(monkeypatch, lambda _job, _: (0, {"wall_ns": 5}))
    started = process.run
    count = iter(range(1, 100))

    def run(*args: Any, **more: Any) -> process.Ended:
        ended = started(*args, **more)
        return replace(ended, interrupted=next(count) == when)

    monkeypatch.setattr(process, "run", run)
    with pytest.raises(Interrupted) as caught:
        arms.run_arms(CODE, [GIL, FT], tmp_path, Options(repeat=2))
    found = caught.value.found
    assert [len(arm.attempts) for arm in found] == kept
    assert found[0].attempts[0].error == ("interrupted" if when == 1 else None)


def test_an_interpreter_that_cannot_be_started(tmp_path: Path) -> None:
    """It may have gone since it was found."""
    with pytest.raises(TargetError, match="cannot start /py"):
        arms.run_arms(CODE, [GIL], tmp_path, Options(repeat=1))


@pytest.mark.usefixtures("jobs")
def test_progress_counts_up(tmp_path: Path) -> None:
    """Each line says which of how many."""
    lines: list[str] = []
    options = Options(repeat=1, progress=lines.append)
    arms.run_arms(CODE, [GIL, FT], tmp_path, options)
    assert [line.split("]")[0] for line in lines] == [f"[{i}/6" for i in range(1, 7)]
