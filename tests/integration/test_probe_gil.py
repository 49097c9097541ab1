"""The GIL as the probe records it: who holds it, who waits for it, who had to give it up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conftest import finished
from gilscope.analysis.waits.contention import check_invariants, gil_totals
from gilscope.trace.format import Event, GilSwitchFlag, GilWaitFlag, HoldFlag

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Interpreter, Recorded, Row

    type Record = Callable[..., Recorded]

SLEEPS = 20
STOCK = pytest.mark.parametrize("interpreter", ["gil"], indirect=True)
FREE_THREADED = pytest.mark.parametrize("interpreter", ["ft"], indirect=True)
EXAMPLES = Path(__file__).parents[2] / "examples"
RUNS = {
    "logging": ("native_logging", "--threads=4", "--records=600", "--work=40"),
    "logging-batch": ("native_logging", "--threads=4", "--records=600", "--work=40", "--batch=20"),
    "native": ("parallel_eval", "--threads=4", "--ways=native", "--inputs=400", "--work=300"),
    "callback": ("parallel_eval", "--threads=4", "--ways=callback", "--inputs=400", "--work=300"),
    "batch": ("parallel_eval", "--threads=4", "--ways=batch", "--inputs=400", "--work=300"),
}
IMPORTS = 800
SLOW_IMPORTS = f"""
import _imp, importlib.util, sys
from gilscope.target.recording import session
spec = importlib.util.find_spec("slow_import")
session.start(sys.argv[1])
for _ in range({IMPORTS}):
    _imp.create_dynamic(spec)
session.stop()
"""
NATIVE_NAMES = {"native_logging": "log-worker-", "parallel_eval": "eval-"}


def sound(recorded: Recorded) -> None:
    """Assert that nothing is lost and that nothing in the trace contradicts anything else."""
    assert recorded.status == 0, recorded.err
    assert (recorded.trace.problems, recorded.trace.dropped_events) == ((), 0)
    assert check_invariants(recorded.trace) == []
    assert waits_without_their_hold(recorded) == []


def waits_without_their_hold(recorded: Recorded) -> list[Row]:
    """Waits that got the GIL, and no hold of the same thread begins where they end."""
    starts = {(row.thread, row.start) for row in recorded.rows(Event.GIL_HOLD)}
    got = [
        row
        for row in recorded.rows(Event.GIL_WAIT)
        if not row.open and not row.flags & GilWaitFlag.NOT_ACQUIRED
    ]
    # Time stamps are converted to nanoseconds one by one.
    return [row for row in got if not {(row.thread, row.end + d) for d in (-1, 0, 1)} & starts]


@pytest.fixture(params=RUNS)
def example(
    request: pytest.FixtureRequest, interpreter: Interpreter, tmp_path: Path
) -> tuple[str, Recorded]:
    """One of the examples, recorded from its first line to its last: (name, recording)."""
    name, *options = RUNS[request.param]
    trace = tmp_path / "trace.gilscope"
    script = EXAMPLES / name / "run.py"
    return name, finished(interpreter.start("recorded.py", trace, script, *options), trace)


def test_examples_give_sound_traces(example: tuple[str, Recorded]) -> None:
    """Acquisitions are released but for the one at the stop, holds do not overlap, waits end."""
    _, recorded = example
    sound(recorded)
    held = int(recorded.trace.build == "gil")
    totals = gil_totals(recorded.trace)
    assert (totals.held_at_start, totals.held_at_end) == (held, held)
    assert totals.acquires == totals.releases


def test_native_threads_of_examples_have_their_names(example: tuple[str, Recorded]) -> None:
    """Each thread of an example's library has a lane of its own, by the name that it has."""
    name, recorded = example
    native = [thread.name for thread in recorded.trace.threads if thread.native]
    assert sorted(native) == [f"{NATIVE_NAMES[name]}{i}" for i in range(4)]


@FREE_THREADED
def test_examples_need_no_gil_in_the_free_threaded_build(example: tuple[str, Recorded]) -> None:
    """The GIL is off; imports of the main thread switch it on for a moment, and nothing else."""
    _, recorded = example
    assert (recorded.trace.gil_enabled_start, recorded.trace.gil_enabled_end) == (False, False)
    of_the_gil = (Event.GIL_HOLD, Event.GIL_WAIT, Event.GIL_SWITCH_WAIT)
    rows = [row for kind in of_the_gil for row in recorded.rows(kind)]
    native = [thread for thread in recorded.trace.threads if thread.native]
    begin = min(thread.start_ns for thread in native)
    assert [row for row in rows if row.kind != Event.GIL_HOLD or row.end > begin] == []
    assert {row.thread for row in rows} <= {recorded.trace.threads[0].index}


def test_each_acquisition_is_counted(interpreter: Interpreter, record: Record) -> None:
    """N times SaveThread and RestoreThread are exactly N holds more; none without a GIL."""
    counted = record("gil.py", "counted")
    more = gil_totals(counted.trace).acquires - gil_totals(counted.beside(".none").trace).acquires
    assert more == (counted.facts["pairs"] if interpreter.build == "gil" else 0)


@STOCK
def test_each_acquisition_is_counted_under_contention(record: Record) -> None:
    """A native thread that enters Python and does N pairs holds the GIL exactly N + 1 times."""
    counted = record("gil.py", "counted_under_contention")
    sound(counted)
    holds = [len(counted.rows(Event.GIL_HOLD, tid)) for tid in counted.facts["tids"]]
    assert holds == [counted.facts["pairs"] + 1] * 4


def test_python_and_native_threads_together_give_a_sound_trace(record: Record) -> None:
    """Forced and voluntary releases, contended or not, from threads of all natures."""
    mixed = record("gil.py", "mixed")
    sound(mixed)
    assert mixed.facts["dropped"] == 0


@STOCK
def test_wait_names_the_holder_at_the_request(record: Record) -> None:
    """The holder of the GIL at the request is the peer of the thread's one wait."""
    held = record("gil.py", "held_in_native_code")
    (wait,) = held.rows(Event.GIL_WAIT, held.facts["asker"])
    assert wait.peer == held.thread(held.facts["holder"]).index
    assert waits_without_their_hold(held) == []


@STOCK
def test_wait_lasts_as_long_as_the_hold(record: Record) -> None:
    """The wait ends not before the hold it waited for, and hit the switch interval meanwhile."""
    held = record("gil.py", "held_in_native_code")
    (wait,) = held.rows(Event.GIL_WAIT, held.facts["asker"])
    (hold,) = [
        row
        for row in held.rows(Event.GIL_HOLD, held.facts["holder"])
        if row.start <= wait.start < row.end
    ]
    assert hold.end <= wait.end
    assert hold.end - wait.start >= 50e6
    assert 1 <= wait.aux <= 100


@STOCK
def test_release_by_native_code_is_not_forced(record: Record) -> None:
    """Native code that lets the GIL go does so of its own accord, even if it was asked for it."""
    held = record("gil.py", "held_in_native_code")
    (wait,) = held.rows(Event.GIL_WAIT, held.facts["asker"])
    (hold,) = [row for row in held.rows(Event.GIL_HOLD) if row.start <= wait.start < row.end]
    assert not hold.flags & HoldFlag.FORCED


@STOCK
def test_release_by_the_evaluation_loop_is_forced(record: Record) -> None:
    """Pure Python that never waits gives the GIL up only because another thread asked for it."""
    held = record("gil.py", "held_by_the_evaluation_loop")
    (wait, *_) = held.rows(Event.GIL_WAIT, held.facts["asker"])
    (hold,) = [row for row in held.rows(Event.GIL_HOLD) if row.start <= wait.start < row.end]
    assert hold.thread == held.thread(held.facts["holder"]).index
    assert hold.flags & HoldFlag.FORCED
    assert wait.peer == hold.thread


@STOCK
def test_thread_that_was_forced_waits_for_whom_it_was_forced_by(record: Record) -> None:
    """After a forced release the thread's next wait says so, and names the one that got the GIL."""
    held = record("gil.py", "held_by_the_evaluation_loop")
    holder = held.facts["holder"]
    forced = next(r for r in held.rows(Event.GIL_HOLD, holder) if r.flags & HoldFlag.FORCED)
    wait = next(r for r in held.rows(Event.GIL_WAIT, holder) if r.start >= forced.end)
    assert wait.flags & GilWaitFlag.AFTER_FORCED
    assert wait.peer == held.thread(held.facts["asker"]).index
    assert all(
        forced.end <= row.start and row.end <= wait.start
        for row in held.rows(Event.GIL_SWITCH_WAIT, holder)
        if row.start < wait.end
    )


@STOCK
def test_no_release_is_forced_where_all_code_is_native(record: Record) -> None:
    """Threads that contend for the GIL outside of the evaluation loop are never forced."""
    counted = record("gil.py", "counted_under_contention")
    tids = counted.facts["tids"]
    holds = [row for tid in tids for row in counted.rows(Event.GIL_HOLD, tid)]
    assert not any(row.flags & HoldFlag.FORCED for row in holds)


@FREE_THREADED
def test_gil_that_is_switched_on_is_recorded(record: Record) -> None:
    """A free-threaded build that runs with its GIL on has the trace of one that has no choice."""
    counted = record("gil.py", "counted_under_contention", PYTHON_GIL="1")
    sound(counted)
    assert (counted.trace.gil_enabled_start, counted.trace.gil_enabled_end) == (True, True)
    holds = [len(counted.rows(Event.GIL_HOLD, tid)) for tid in counted.facts["tids"]]
    assert holds == [counted.facts["pairs"] + 1] * 4


@FREE_THREADED
def test_import_that_switches_the_gil_on_is_seen(record: Record) -> None:
    """From the import of a module that needs the GIL on, every acquisition is counted."""
    imported = record("gil.py", "import_of_a_module_that_needs_the_gil")
    sound(imported)
    assert (imported.trace.gil_enabled_start, imported.trace.gil_enabled_end) == (False, True)
    assert gil_totals(imported.trace).releases >= imported.facts["pairs"]


def test_imports_among_busy_threads_give_a_sound_trace(record: Record) -> None:
    """Imports switch the GIL of a free-threaded build on and off while other threads run."""
    imported = record("gil.py", "transient")
    sound(imported)
    assert imported.trace.gil_enabled_end == imported.facts["gil"]


def test_stop_while_threads_wait(interpreter: Interpreter, record: Record) -> None:
    """What threads wait for when the probe is stopped stands in the trace as waits without end."""
    stopped = record("gil.py", "waiting_at_stop")
    *_, lock = stopped.rows(Event.LOCK_WAIT, stopped.facts["lock"])
    assert lock.open
    assert stopped.trace.end_reason == "stop"
    if interpreter.build == "gil":
        *_, gil = stopped.rows(Event.GIL_WAIT, stopped.facts["gil"])
        assert gil.open
        assert gil.peer == stopped.thread(stopped.facts["main"]).index


@STOCK
def test_each_gil_of_a_subinterpreter_is_told_apart(record: Record) -> None:
    """Holds of threads that work in interpreters with their own GIL overlap, and none of one GIL.

    Each thread takes its interpreter's GIL once for each time it sleeps, and no other one does.
    """
    recorded = record("gil.py", "own_gils")
    sound(recorded)
    gils = {gil.interpreter: gil.id for gil in recorded.trace.gils.values()}
    assert gils.keys() == {0, *recorded.facts["ids"]}
    for number, tid in zip(recorded.facts["ids"], recorded.facts["tids"], strict=True):
        thread = recorded.thread(tid).index
        holds = [row for row in recorded.rows(Event.GIL_HOLD) if row.what == gils[number]]
        mine = [row for row in holds if row.thread == thread]
        assert len(mine) >= SLEEPS + 1
        # The main thread makes and destroys it.
        assert {row.thread for row in holds} <= {thread, recorded.trace.threads[0].index}


@STOCK
def test_interpreters_that_share_a_gil_are_one(record: Record) -> None:
    """A subinterpreter without a GIL of its own adds none."""
    recorded = record("gil.py", "shared_gil")
    sound(recorded)
    assert [gil.interpreter for gil in recorded.trace.gils.values()] == [0]


@FREE_THREADED
def test_switch_of_the_gil_names_the_module(record: Record) -> None:
    """An import that switches the GIL on for good is an event with the extension that did it."""
    recorded = record("gil.py", "import_of_a_module_that_needs_the_gil")
    switches = recorded.trace.gil_switches
    permanent = GilSwitchFlag.ON | GilSwitchFlag.PERMANENT
    rows = zip(switches.flags.tolist(), switches.module, switches.thread.tolist(), strict=True)
    lasting = [row for row in rows if row[0] & GilSwitchFlag.PERMANENT]
    assert [(flags, Path(module).name.split(".")[0]) for flags, module, _ in lasting] == [
        (permanent, "stage_needs_gil")
    ]
    assert lasting[0][2] == recorded.trace.threads[0].index


@FREE_THREADED
def test_imports_switch_the_gil_for_a_moment(record: Record) -> None:
    """Each import of an extension that needs no GIL switches it on and off, and is named."""
    switches = record("gil.py", "transient").trace.gil_switches
    rows = list(zip(switches.flags.tolist(), switches.module, strict=True))
    assert [flags for flags, _ in rows[:2]] == [GilSwitchFlag.ON, GilSwitchFlag.OFF]
    named = {Path(module).name.split(".")[0] for _, module in rows if module}
    assert named & {"_bisect", "_csv", "_lsprof", "_zoneinfo", "unicodedata"}


@FREE_THREADED
def test_switches_of_the_gil_damage_no_chunk(interpreter: Interpreter, tmp_path: Path) -> None:
    """A long hold gets its stack after it was written, also as the last one before a switch."""
    interpreter.compile("slow_import")
    path = tmp_path / "trace.gilscope"
    recorded = finished(interpreter.start_command("-c", SLOW_IMPORTS, path), path)
    assert recorded.status == 0, recorded.err
    assert recorded.trace.problems == ()
    assert len(recorded.trace.gil_switches.flags) >= 2 * IMPORTS
