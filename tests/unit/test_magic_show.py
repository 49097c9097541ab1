"""The magics in a shell: what they run, show, return and raise. What runs code is replaced."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from ipywidgets.widgets.widget import _instances

import gilscope.comparison
from gilscope.comparison import Run
from gilscope.errors import Interrupted
from gilscope.jupyter import show
from gilscope.jupyter.magic import load_ipython_extension
from gilscope.presentation import Comparison
from gilscope.trace.reading.reader import read
from trace_examples import ft_trace, gil_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TRACEBACK = """\
Traceback (most recent call last):
  File "<cell 1>", line 2, in <module>
    raise ValueError("no")
ValueError: no
"""

WIDGET = "application/vnd.jupyter.widget-view+json"


class Recorder:
    """Stands for `compare_code`: notes what it is given, answers with small traces."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.calls: list[dict[str, Any]] = []
        self.failure: dict[str, Any] = {}
        self.told: list[str] = []

    def __call__(
        self, code: str, *, output: Callable[[str, str, str], None], **options: Any
    ) -> Comparison:
        """Return what a comparison of two small programs would."""
        self.calls.append({"code": code, **options})
        for line in ["[1/2] GIL build", *self.told]:
            options["progress"](line)
        for build in options["builds"]:
            output(build, "stdout", f"printed under {build}\n")
        runs = tuple(self.run(build) for build in options["builds"])
        return Comparison(options["title"], ("code",), runs)

    def run(self, build: str) -> Run:
        """Return the run of one build."""
        made = gil_trace() if build == "gil" else ft_trace()
        path = made.write(self.directory / f"{build}.gilscope")
        values: dict[str, Any] = {
            "build": build,
            "python": "3.13.5",
            "executable": "/usr/bin/python",
            "free_threaded": build == "ft",
            "gil_enabled_before": build == "gil",
            "gil_enabled_after": build == "gil",
            "gil_enabled_by": None,
            "wall_s": (0.5,),
            "probed_wall_s": (0.6,),
            "trace_path": path,
            "trace": read(path),
            "status": 0,
        }
        return Run(**{**values, **self.failure})


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Replace what starts interpreters."""
    recorder = Recorder(tmp_path)
    monkeypatch.setattr(gilscope.comparison, "compare_code", recorder)
    return recorder


@pytest.fixture
def shell(recorder: Recorder) -> Iterator[InteractiveShell]:  # noqa: ARG001 - see there
    """Return a shell of a notebook that has loaded the extension."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.kernel = object()  # that is how the shell of a notebook is told from a terminal's
    load_ipython_extension(shell)
    yield shell
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


def run(shell: InteractiveShell, cell: str, name: str | None = None) -> tuple[Any, Any]:
    """Run a cell, which a notebook has a name for; return its result and what it showed."""
    with capture_output() as captured:
        result = shell.run_cell(cell, store_history=True, cell_id=name)
    return result, captured


def bundles(captured: Any) -> list[dict[str, Any]]:
    """Return the mime bundles that a cell showed, progress left out."""
    return [
        output.data
        for output in captured.outputs
        if set(output.data) != {"text/plain"} and not output.data["text/plain"].startswith("[")
    ]


def test_a_cell_shows_a_static_view_and_a_live_one(shell: InteractiveShell) -> None:
    """The first output is HTML and text for wherever nothing runs, the second is the widget."""
    result, captured = run(shell, "%%profile_threads\nprint(1)")
    still, live = bundles(captured)
    assert result.success
    assert "data:image/svg+xml" in still["text/html"]
    assert "waiting for the GIL" in still["text/plain"]
    assert live[WIDGET]["model_id"]
    assert len(live["text/plain"]) < 100


def test_a_cell_shows_what_the_program_printed_once(shell: InteractiveShell) -> None:
    """The output of the first build stands for all."""
    _, captured = run(shell, "%%profile_threads\nprint(1)")
    assert captured.stdout == "printed under gil\n"


def test_options_reach_the_comparison(shell: InteractiveShell, recorder: Recorder) -> None:
    """Builds and repetitions are those of the first line; the directory is the notebook's."""
    run(shell, "%%profile_threads --builds ft --repeat 7\nprint(1)")
    [call] = recorder.calls
    assert (call["builds"], call["repeat"], call["cwd"]) == (("ft",), 7, Path.cwd())
    assert call["fewer_after"] is None
    assert call["code"] == "\nprint(1)\n"


def test_long_cells_may_run_fewer_times(shell: InteractiveShell, recorder: Recorder) -> None:
    """Unless somebody has asked for a number of runs."""
    run(shell, "%%profile_threads\nprint(1)")
    [call] = recorder.calls
    assert (call["repeat"], call["fewer_after"]) == (3, 10)


def test_the_result_is_kept_under_a_name(shell: InteractiveShell) -> None:
    """The option -o puts the comparison into a variable."""
    run(shell, "%%profile_threads -o result\nprint(1)")
    assert isinstance(shell.user_ns["result"], Comparison)


def test_a_line_returns_what_it_shows_once(shell: InteractiveShell) -> None:
    """A line returns the comparison, and it is not shown a second time as the cell's value."""
    result, captured = run(shell, "%profile_threads print(1)")
    assert isinstance(result.result, Comparison)
    assert len(bundles(captured)) == 2


def test_a_result_is_shown_again_where_it_is_asked_for(shell: InteractiveShell) -> None:
    """In a later cell, a comparison shows itself as timelines."""
    run(shell, "%%profile_threads -o result\nprint(1)")
    _, captured = run(shell, "result")
    assert len(bundles(captured)) == 2


def test_a_cell_that_runs_again_closes_its_widget(shell: InteractiveShell) -> None:
    """With its controls; a result that was kept makes another widget when it is asked for one."""
    run(shell, "%%profile_threads -o result\nprint(1)", "one")
    result = shell.user_ns["result"]
    widget = result.widget
    before = set(_instances)
    run(shell, "pass", "one")
    assert widget.comm is None
    assert len(before - set(_instances)) > len(widget.controls)
    assert result.widget is not widget
    assert result.widget.comm is not None


def test_a_widget_that_another_cell_shows_stays(shell: InteractiveShell) -> None:
    """It is closed when the last cell that shows it runs again."""
    run(shell, "%%profile_threads -o result\nprint(1)", "one")
    widget = shell.user_ns["result"].widget
    run(shell, "result", "two")
    run(shell, "pass", "one")
    assert widget.comm is not None
    run(shell, "pass", "two")
    assert widget.comm is None


def test_a_statement_is_not_expanded(shell: InteractiveShell, recorder: Recorder) -> None:
    """Braces and dollars in a statement are Python's, not the shell's."""
    run(shell, "x = 1")
    run(shell, "%profile_threads print({'a': 1}, '$x')")
    assert recorder.calls[-1]["code"] == "print({'a': 1}, '$x')\n"


def test_a_program_that_raises_fails_the_cell(shell: InteractiveShell, recorder: Recorder) -> None:
    """The results are shown, then the cell fails with the program's traceback, shown once."""
    recorder.failure = {
        "error": "ValueError: no",
        "traceback": TRACEBACK,
        "stderr": f"careful\n{TRACEBACK}",
        "status": 1,
    }
    result, captured = run(shell, "%%profile_threads -o result\nraise ValueError('no')")
    assert not result.success
    assert len(bundles(captured)) == 2
    assert captured.stderr == "careful\n"
    assert captured.stdout.count("ValueError: no\n") == 1
    assert "gilscope" not in captured.stdout
    assert shell.user_ns["result"].failed


def test_where_a_program_hangs_is_told_at_once_and_once(
    shell: InteractiveShell, recorder: Recorder
) -> None:
    """The stacks come while the other build still runs; the cell fails with the line alone."""
    stacks = "Where the threads wait:\n\n  File one\n"
    recorder.told = ["GIL build: deadlocked", f"GIL build: {stacks}"]
    recorder.failure = {"error": "deadlocked", "traceback": stacks, "status": -9}
    result, captured = run(shell, "%%profile_threads\nprint(1)")
    assert not result.success
    assert captured.stderr == f"GIL build: {stacks}"
    assert "File one" not in captured.stdout
    last = captured.stdout.strip().splitlines()[-1]
    assert last == "profile_threads: the program failed (gil and ft): deadlocked"


def test_a_program_that_was_killed_fails_the_cell(
    shell: InteractiveShell, recorder: Recorder
) -> None:
    """Without a traceback, one line says how the program ended."""
    recorder.failure = {"error": "ended by SIGSEGV", "status": -11}
    result, captured = run(shell, "%%profile_threads\nprint(1)")
    assert not result.success
    last = captured.stdout.strip().splitlines()[-1]
    assert last == "profile_threads: the program failed (gil and ft): ended by SIGSEGV"


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("%%profile_threads --bogus\n1", "unrecognized arguments: --bogus; usage: %%prof"),
        ("%%profile_threads x = 1\ny = 2", "takes options only"),
        ("%profile_threads", "no code to run"),
        ("%%profile_threads\n\n", "no code to run"),
        ("%%profile_threads\nprint(known)", "known: a lock, which cannot be pickled"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_runs(
    shell: InteractiveShell, recorder: Recorder, cell: str, words: str
) -> None:
    """A mistake in the cell is a line without a traceback, and the cell fails."""
    shell.user_ns["known"] = threading.Lock()
    result, captured = run(shell, cell)
    assert not result.success
    assert words in captured.stdout
    assert "Traceback" not in captured.stdout
    assert len(captured.stdout.strip().splitlines()) == 1
    assert recorder.calls == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--here --threads 1,2", "--threads does not go with --here"),
        ("--here --repeat 2", "--repeat does not go with --here"),
        ("--here --inputs x", "--inputs does not go with --here"),
        ("--inputs missing", "--inputs: the notebook has no variable missing"),
        ("--setup missing.py", "--setup missing.py: No such file or directory"),
        ("-D result.docx", "the name must end in one of .html, .perfetto-trace"),
        ("-D missing/result.html", "no such directory"),
        ("--timeout soon", "'soon' is not a number of seconds"),
    ],
)
def test_an_option_that_cannot_be_is_told_before_anything_runs(
    shell: InteractiveShell, recorder: Recorder, options: str, words: str
) -> None:
    """A line says what is wrong, and no run was wasted."""
    result, captured = run(shell, f"%%profile_threads {options}\nprint(1)")
    assert not result.success
    assert words in captured.stdout
    assert recorder.calls == []


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("r.html", b"<!DOCTYPE html>"),
        ("r.json", b"{"),
        ("r.chrome.json", b"{"),
        ("r.perfetto-trace", b"\n"),
    ],
)
def test_a_result_is_written_as_its_name_says(
    shell: InteractiveShell, tmp_path: Path, name: str, start: bytes
) -> None:
    """The option -D makes a report, a summary or an export, and replaces an earlier one."""
    path = tmp_path / name
    for _ in range(2):
        result, _ = run(shell, f"%%profile_threads -D {path}\nprint(1)")
        assert result.success
    assert path.read_bytes().startswith(start)


def test_options_are_completed(shell: InteractiveShell) -> None:
    """In the line of the magic, and with the builds after their option."""
    _, found = shell.complete("--re", "%%profile_threads --re", 22)
    assert "--repeat" in found
    _, found = shell.complete("f", "%profile_threads --builds f", 27)
    assert {"ft", "ft-gil"} <= set(found)
    _, found = shell.complete("--re", "x = a --re", 10)
    assert "--repeat" not in found


def test_progress_is_a_bar_while_workers_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A widget shows the step of two that runs; a line of text takes its place in the end."""
    shown: list[dict[str, Any]] = []

    class Handle:
        def update(self, data: dict[str, Any], **_: Any) -> None:
            shown.append(data)

    def display(data: dict[str, Any], **_: Any) -> Handle:
        shown.append(data)
        return Handle()

    monkeypatch.setattr(show, "display", display)
    before = set(_instances)
    progress = show.Progress(live=True)
    progress.step("[2/2] free-threaded build")
    [first] = shown
    bar = progress._bar
    assert first[WIDGET]["model_id"] == progress._box.model_id
    assert (bar.value, bar.max) == (1, 2)
    progress.done()
    assert shown[1]["text/plain"].startswith("1 run in ")
    assert WIDGET not in shown[1]
    assert bar.comm is None
    assert set(_instances) == before


@pytest.mark.parametrize(
    ("elapsed", "done", "words"),
    [
        (1.0, 0, ""),
        (1.0, 1, ""),
        (6.0, 2, ", about 36 s left"),
        (60.0, 2, ", about 6 min left"),
        (0.01, 13, ", about 1 s left"),
    ],
)
def test_progress_says_how_long_the_rest_takes(elapsed: float, done: int, words: str) -> None:
    """Once two of fourteen runs are over."""
    assert show.left_text(elapsed, done, 14) == words


def test_an_interrupt_is_one_line(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cell fails, with no frames of ours."""

    def interrupted(*_: object, **__: object) -> None:
        raise Interrupted(None)

    monkeypatch.setattr(gilscope.comparison, "compare_code", interrupted)
    result, captured = run(shell, "%%profile_threads\nprint(1)")
    assert isinstance(result.error_in_exec, KeyboardInterrupt)
    lines = captured.stdout.strip().splitlines()
    assert lines == ["profile_threads: interrupted"]


def test_help_is_no_failure(shell: InteractiveShell) -> None:
    """Asking for help shows it and runs nothing."""
    result, captured = run(shell, "%profile_threads -h")
    assert result.success
    assert "--repeat N" in captured.stdout


def test_a_terminal_gets_the_table(shell: InteractiveShell) -> None:
    """Where there is no page, the summary is shown as text."""
    shell.kernel = None
    _, captured = run(shell, "%%profile_threads\nprint(1)")
    [output] = captured.outputs
    assert set(output.data) == {"text/plain"}
    assert "wall time, recorded" in output.data["text/plain"]
