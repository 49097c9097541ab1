"""One executor for threads, subinterpreters and processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import gilscope
from gilscope.config import EXECUTOR_VARIABLE, THREADS_VARIABLE
from gilscope.errors import UsageError
from gilscope.target.executors.executor import executor

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_S = 120
KINDS = ["threads", "subinterpreters", "processes"]

PROGRAM = """
import json
import gilscope
from gilscope.target.executors.executor import facts

def double(x): return 2 * x
def total(view): return [sum(view), view.format, list(view.shape)]
def fail(x): raise LookupError(f"no {x}")
class Closed:
    def __reduce__(self): raise TypeError("it is closed")

def refused(work):
    try: return pool.submit(*work).result()
    except Exception as error: return [type(error).__name__, str(error)]

if __name__ == "__main__":
    text = bytes(range(100))
    with gilscope.executor(2) as pool:
        print(json.dumps({
            "doubled": list(pool.map(double, range(5))),
            "totals": list(pool.map(total, [memoryview(text), memoryview(text)[:10]])),
            "failed": refused((fail, 3)),
            "closed": refused((double, Closed())),
            "facts": facts(),
        }))
"""


def run(place: Path, kind: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run a script whose executor is to be of a kind."""
    script = place / "program.py"
    script.write_text(code)
    return subprocess.run(
        [sys.executable, script],
        env={**os.environ, EXECUTOR_VARIABLE: kind},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.fixture(scope="module", params=KINDS)
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the program found out, by each kind."""
    done = run(tmp_path_factory.mktemp("executor"), request.param, PROGRAM)
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "kind": request.param, "stderr": done.stderr}


def test_work_is_done_by_functions_of_the_script(found: Any) -> None:
    """They are found by whatever worker there is."""
    assert found["doubled"] == [0, 2, 4, 6, 8]


def test_memoryviews_arrive_as_they_are(found: Any) -> None:
    """Shared or sent."""
    assert found["totals"] == [[4950, "B", [100]], [45, "B", [10]]]


def test_exceptions_come_back(found: Any) -> None:
    """With their type and text."""
    assert found["failed"] == ["LookupError", "no 3"]


def test_what_cannot_be_sent_is_said_before_it_runs(found: Any) -> None:
    """In one line, with the kind of worker and the reason."""
    if found["kind"] == "threads":
        pytest.skip("nothing is sent to threads")
    name, text = found["closed"]
    assert name == "TypeError"
    assert text.startswith(f"cannot pickle this work for {found['kind']}: it is closed")


def test_what_was_sent_is_counted(found: Any) -> None:
    """Processes get all bytes, subinterpreters share those of memoryviews."""
    facts = found["facts"]
    if found["kind"] == "threads":
        assert facts is None
        return
    assert (facts["kind"], facts["workers"], facts["tasks"]) == (found["kind"], 2, 8)
    assert facts["shared_bytes"] == (110 if found["kind"] == "subinterpreters" else 0)
    assert facts["sent_bytes"] > (110 if found["kind"] == "processes" else 0)
    assert facts["pickle_ns"] > 0
    assert facts["unpickle_ns"] > 0


def test_nothing_is_left_to_complain_about(found: Any) -> None:
    """Interpreters are destroyed, processes have ended."""
    assert found["stderr"] == ""


@pytest.mark.parametrize("kind", ["subinterpreters"])
def test_a_script_without_a_guard_is_told_so(kind: str, tmp_path: Path) -> None:
    """Its workers would make workers of their own for ever."""
    code = "import gilscope\nwith gilscope.executor(1) as p: p.submit(print, 1).result()\n"
    done = run(tmp_path, kind, code)
    assert done.returncode == 1
    assert 'put the call under `if __name__ == "__main__":`' in done.stderr


def test_functions_of_a_cell_cannot_be_found_by_others() -> None:
    """Code that is in no file cannot be loaded again."""
    code = (
        "import gilscope\ndef f(): pass\n"
        "with gilscope.executor(1) as pool: pool.submit(f).result()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, EXECUTOR_VARIABLE: "subinterpreters"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 1
    assert "f is defined in code that is not in a file" in done.stderr


def test_threads_unless_a_comparison_wants_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as the program says, or as the comparison says."""
    monkeypatch.delenv(EXECUTOR_VARIABLE, raising=False)
    monkeypatch.delenv(THREADS_VARIABLE, raising=False)
    with gilscope.executor(3) as pool:
        assert vars(pool)["_max_workers"] == 3
    monkeypatch.setenv(THREADS_VARIABLE, "5")
    with gilscope.executor(3) as pool:
        assert vars(pool)["_max_workers"] == 5


def test_an_unknown_kind_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """With those that there are."""
    monkeypatch.setenv(EXECUTOR_VARIABLE, "fibres")
    with pytest.raises(
        UsageError, match="'fibres': choose from threads, subinterpreters, processes"
    ):
        executor()
