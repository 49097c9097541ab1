"""What the worker writes down; with the probe off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from gilscope.target.recording.options import RecordingOptions
from gilscope.target.start import START
from gilscope.target.worker import job

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

TIMEOUT_S = 60
WARNING = (
    "The global interpreter lock (GIL) has been enabled to load module '{}', which has not "
    "declared that it can run safely without the GIL."
)


def work(place: Path, code: str, **job: Any) -> tuple[subprocess.CompletedProcess[str], Any]:
    """Start a worker as the runner does; return its process and its result."""
    facts = {"kind": "code", "value": code, "args": [], "filename": "<cell>", "trace": None}
    facts |= {
        "recording": {"max_bytes": 1 << 24},
        "races": None,
        "live": False,
        "cpus": [],
        "stacks": None,
        "carried": None,
    } | job
    (place / "job.json").write_text(json.dumps(facts))
    done = subprocess.run(
        [sys.executable, "-c", START, place / "job.json", place / "result.json"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        cwd=place,
        check=False,
    )
    result = place / "result.json"
    return done, json.loads(result.read_text()) if result.exists() else None


def test_a_program_that_succeeds(tmp_path: Path) -> None:
    """Its time is that of the code, and its output is its own."""
    code = (
        "import sys, time; begin = time.perf_counter_ns(); time.sleep(0.05)\n"
        "print(sys.argv); print(time.perf_counter_ns() - begin)"
    )
    done, result = work(tmp_path, code)
    argv, spent_ns = done.stdout.splitlines()
    assert (done.returncode, argv, done.stderr) == (0, "['-c']", "")
    assert result["wall_ns"] >= int(spent_ns)
    assert result["error"] is result["traceback"] is result["gil_by"] is None


def test_a_program_that_raises(tmp_path: Path) -> None:
    """The traceback is printed and written down."""
    done, result = work(tmp_path, "1/0")
    assert done.returncode == 1
    assert result["error"] == "ZeroDivisionError: division by zero"
    assert result["traceback"] == done.stderr
    assert 'File "<cell>", line 1' in done.stderr


def test_the_working_directory_does_not_shadow_the_standard_library(tmp_path: Path) -> None:
    """A json.py there is the program's to import, not the worker's."""
    (tmp_path / "json.py").write_text("name = 'mine'")
    (tmp_path / "mine.py").write_text("")
    done, _ = work(tmp_path, "import sys, mine; print(repr(sys.path[0]))")
    assert (done.returncode, done.stdout) == (0, "''\n"), done.stderr


def test_exit_handlers_run_after_the_measurement(tmp_path: Path) -> None:
    """They belong to the interpreter's end; what they print still arrives."""
    code = (
        "import atexit, os\n"
        "atexit.register(lambda: print(os.path.exists('result.json')))\n"
        "print('still running')"
    )
    done, _ = work(tmp_path, code)
    assert done.stdout == "still running\nTrue\n"


def test_a_forked_child_writes_no_result(tmp_path: Path) -> None:
    """Only the process that was started does."""
    code = "import os, time\nif os.fork(): os.wait(); print(os.listdir('.'))\n"
    done, result = work(tmp_path, code)
    assert "result.json" not in done.stdout
    assert result is not None


def test_a_program_that_leaves_by_os_exit_has_no_result(tmp_path: Path) -> None:
    """The runner sees its status."""
    done, result = work(tmp_path, "import os; os._exit(3)")
    assert (done.returncode, result) == (3, None)


def test_the_name_of_who_turned_the_gil_on(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    """It is taken from Python's own warning, the first one, which is still shown."""
    del recwarn  # keeps the filters and showwarning as they were
    shown: list[str] = []
    warnings = job.warnings
    monkeypatch.setattr(warnings, "showwarning", lambda message, *_, **__: shown.append(message))
    # Where the GIL is on from the beginning, nothing can turn it on: nobody listens there.
    monkeypatch.setattr(job, "gil_enabled", lambda: False)
    measurement = job.Measurement(None, RecordingOptions())
    with measurement.session():
        warnings.warn("something else", RuntimeWarning, stacklevel=1)
        for name in ("first", "second"):
            warnings.warn(WARNING.format(name), RuntimeWarning, stacklevel=1)
    assert measurement.result["gil_by"] == "first"
    assert len(shown) == 3


def test_the_worker_loads_the_standard_library_only(tmp_path: Path) -> None:
    """Nothing but the program may turn the GIL on."""
    code = "import sys; print([m for m in sys.modules if m.partition('.')[0] in ('numpy', 'rich')])"
    assert work(tmp_path, code)[0].stdout == "[]\n"
    assert os.sep in job.__file__
