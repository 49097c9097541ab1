"""Callbacks as the probe records them: how many, from where, by which binding, of what."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conftest import TARGETS, TIMEOUT_S, finished
from gilscope.trace.format import CallbackFlag, ThreadStateFlag

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Interpreter, Recorded
    from gilscope.trace.model import Trace

    type Record = Callable[..., Recorded]

BARE = "finalization_without_us"
CREATED, DELETED = CallbackFlag.STATE_CREATED, CallbackFlag.STATE_DELETED
EXAMPLES = Path(__file__).parents[2] / "examples"
# Callbacks of N turns in a native thread: those that call, those that call nothing.
WAYS = {
    "ensure": (50, 0),
    "ensure_inside": (50, 1),
    "ensure_with_sections": (50, 0),
    "acquire": (50, 1),
    "acquire_with_sections": (50, 1),
    "restore": (50, 1),
    "swap": (50, 1),
    "scoped": (50, 0),
    "scoped_inside": (50, 1),
    "abandon": (51, 0),
}
NAMES = {
    "function": ("work", "__main__"),
    "method": ("Handler.method", "__main__"),
    "instance": ("Handler.__call__", "__main__"),
    "class": ("Handler", "__main__"),
    "built-in": ("monotonic", "time"),
    "partial": ("callables.<locals>.named", "__main__"),
    "lambda": ("callables.<locals>.<lambda>", "__main__"),
    "failing": ("callables.<locals>.fails", "__main__"),
    "built-in method": ("list.copy", ""),
}
FACTS = """
import sysconfig
print(sysconfig.get_path("include"))
print(sysconfig.get_config_var("EXT_SUFFIX"))
"""
# What to run, the C++ function that calls back, and how often.
RUNS = {
    "native_logging": (("--records=600",), "PythonLogger::log", 600),
    "parallel_eval": (("--inputs=400", "--ways=callback"), "on_batch", 400),
}


@pytest.fixture(scope="session")
def staged() -> dict[str, Path]:
    """Where the stage for callbacks was compiled, by build."""
    return {}


@pytest.fixture(autouse=True)
def _stage(interpreter: Interpreter, staged: dict[str, Path]) -> None:
    """Compile the stage for this interpreter, once."""
    if interpreter.build in staged:
        return
    facts = subprocess.run(
        [interpreter.python, "-c", FACTS],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    include, suffix = facts.stdout.split()
    path = interpreter.modules / f"callback_stage{suffix}"
    source = TARGETS / "callback_stage.c"
    command = ["gcc", "-O2", "-shared", "-fPIC", "-pthread", f"-I{include}", "-o", path, source]
    subprocess.run(command, timeout=TIMEOUT_S, check=True)
    staged[interpreter.build] = path


def counts(trace: Trace) -> tuple[int, int]:
    """Callbacks that called something, and those that called nothing."""
    called = int((trace.callbacks.callable != 0).sum())
    return called, len(trace.callbacks.callable) - called


def sound(recorded: Recorded) -> Trace:
    """Assert that the program ended well and its trace is whole."""
    assert recorded.status == 0, recorded.err
    trace = recorded.trace
    assert (trace.problems, trace.dropped_events) == ((), 0)
    assert not trace.callbacks.open.any()
    return trace


@pytest.mark.parametrize("way", WAYS)
def test_every_callback_of_a_native_thread_is_one_span(record: Record, way: str) -> None:
    """However native code comes in, each time is one span, and sections inside are none."""
    trace = sound(record("callbacks.py", "in_native_threads").beside(f".{way}"))
    assert counts(trace) == WAYS[way]


@pytest.mark.parametrize("way", ["ensure", "ensure_with_sections", "scoped"])
def test_a_callback_in_a_released_section_is_a_span(record: Record, way: str) -> None:
    """The end of the section itself is none."""
    trace = sound(record("callbacks.py", "in_released_sections").beside(f".{way}"))
    assert counts(trace) == (50, 0)


def test_who_is_in_python_already_makes_no_callback(record: Record) -> None:
    """Asking for the GIL while having it, or taking it back after a pause, is no callback."""
    assert counts(sound(record("callbacks.py", "attached"))) == (0, 0)


def test_what_began_before_the_recording_is_not_taken_for_a_callback(record: Record) -> None:
    """Threads that were inside at the start come out without a span."""
    assert counts(sound(record("callbacks.py", "started_inside"))) == (50, 0)


def test_nested_callbacks_are_spans_of_their_own(record: Record) -> None:
    """Down to the depth that is kept; what is deeper disturbs nothing."""
    trace = sound(record("callbacks.py", "nested"))
    assert counts(trace) == (50 * 4 + 2 * 15 + 50, 0)


@pytest.mark.parametrize("case", NAMES)
def test_what_is_called_has_its_name(record: Record, case: str) -> None:
    """The callable behind methods, partials and objects, by qualified name and module."""
    trace = sound(record("callbacks.py", "callables").beside(f".{case}"))
    (id_,) = set(trace.callbacks.callable.tolist())
    callable_ = trace.callables[id_]
    assert (callable_.name, callable_.module) == NAMES[case]


def test_calls_get_their_arguments(record: Record) -> None:
    """Arguments arrive in registers, in vector registers and on the stack, as without the probe."""
    recorded = record("callbacks.py", "arguments")
    trace = sound(recorded)
    assert recorded.facts["sums"] == recorded.facts["expected"]
    names = {trace.callables[id_].name for id_ in set(trace.callbacks.callable.tolist())}
    assert names == {"total", "Handler.method"}


def test_thread_states_that_are_made_for_a_callback_are_told(record: Record) -> None:
    """Made and destroyed each time, or once around all, with an event for each."""
    recorded = record("callbacks.py", "in_native_threads")
    for way, churn in (("ensure", 50), ("scoped", 50), ("ensure_inside", 1), ("acquire", 1)):
        trace = recorded.beside(f".{way}").trace
        flags = trace.callbacks.flags.tolist()
        assert sum(bool(f & CREATED) for f in flags) == churn, way
        assert sum(bool(f & DELETED) for f in flags) == churn, way
        states = trace.thread_states.flags.tolist()
        assert states.count(int(ThreadStateFlag.CREATED)) == churn, way
        assert states.count(int(ThreadStateFlag.DELETED)) == churn, way


def test_a_thread_that_ends_inside_leaves_an_open_callback(record: Record) -> None:
    """It ends with its thread, and later threads that get the same log begin anew."""
    recorded = record("callbacks.py", "ends_inside")
    assert recorded.status == 0, recorded.err
    callbacks = recorded.trace.callbacks
    assert (int(callbacks.open.sum()), int((~callbacks.open).sum())) == (50, 50)


def test_the_native_function_that_came_in_is_named(record: Record) -> None:
    """By its symbol, with what called it, as C code that uses the API itself."""
    trace = sound(record("callbacks.py", "in_native_threads").beside(".ensure_inside"))
    inner = {
        int(e) for e, c in zip(trace.callbacks.entry, trace.callbacks.callable, strict=True) if c
    }
    (entry,) = (trace.entries[id_] for id_ in inner)
    assert (entry.site.function, entry.binding) == ("ensure", "C API")
    assert [frame.name for frame in entry.stack] == [
        "ensure",
        "ensure_inside",
        "native_main",
    ]


@pytest.mark.parametrize("example", RUNS)
def test_examples_show_who_called_what(
    interpreter: Interpreter, tmp_path: Path, example: str
) -> None:
    """The user's C++ function, not the binding's; the binding by its name; the Python method."""
    options, function, count = RUNS[example]
    script = EXAMPLES / example / "run.py"
    path = tmp_path / "trace.gilscope"
    process = interpreter.start("recorded.py", path, script, "--threads=4", "--work=40", *options)
    trace = sound(finished(process, path))
    spans = [
        (trace.entries[int(e)], trace.callables[int(c)])
        for e, c in zip(trace.callbacks.entry, trace.callbacks.callable, strict=True)
        if c
    ]
    assert len(spans) == count
    assert {entry.binding for entry, _ in spans} == {"pybind11"}
    assert all(function in entry.site.function for entry, _ in spans)
    names = {callable_.name for _, callable_ in spans}
    assert names <= {"LoggingLogger.log", "Collector.on_output"}


def survived(interpreter: Interpreter, recorded: Recorded) -> Recorded:
    """The recording; skips where the interpreter crashes at its end without the probe, too.

    Up to 3.15, a native thread that enters a finished interpreter is on its own (PEP 788).
    """
    if recorded.status == -signal.SIGSEGV:
        bare = [interpreter.run("callbacks.py", BARE, recorded.path) for _ in range(10)]
        if any(run.status == recorded.status for run in bare):
            pytest.skip("this interpreter crashes at its end when native threads call in")
    assert recorded.status == 0, recorded.err
    return recorded


def test_interpreter_ends_with_native_threads_calling_in(
    interpreter: Interpreter, record: Record
) -> None:
    """Neither a crash nor a hang, and the trace is there."""
    recorded = survived(interpreter, record("callbacks.py", "finalization"))
    assert counts(recorded.trace)[0] > 0


def test_recording_can_stop_and_start_while_native_threads_call_in(record: Record) -> None:
    """Each trace is whole, and its callbacks have names."""
    recorded = record("callbacks.py", "restarted")
    for i in range(recorded.facts["n"]):
        assert recorded.beside(f".{i}").trace.problems == ()
