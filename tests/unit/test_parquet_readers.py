"""What other engines read from a Parquet export, and that it is what the manual says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet
import pytest

from gilscope.cli import main
from gilscope.trace.model import TABLES
from trace_examples import callback_trace, ft_trace, gil_trace, span_trace

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "many-traces.md"
EXAMPLES = (gil_trace, ft_trace, callback_trace, span_trace)
COMMON = {"process": "int32", "pid": "int64", "trace": "string"}


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with all tables of some traces."""
    folder = tmp_path_factory.mktemp("week")
    for number, make in enumerate(EXAMPLES):
        make().of_session(number).write(folder / f"{number}.gilscope")
    for table in TABLES:
        out = folder / f"{table}.parquet"
        words = ("export", "--format", "parquet", "--table", table, "-o", out, folder)
        assert main([*map(str, words)]) == 0
    (folder / "week.parquet").write_bytes((folder / "intervals.parquet").read_bytes())
    return folder


def blocks(language: str) -> list[str]:
    """The examples of the manual in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize("query", blocks("sql"))
def test_queries_of_the_manual(query: str, week: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB answers them."""
    monkeypatch.chdir(week)
    assert duckdb.sql(query).fetchall()


def test_the_manual_in_polars(
    week: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Polars runs the manual's example."""
    monkeypatch.chdir(week)
    [code] = blocks("python")
    exec(code, {})  # noqa: S102 - the manual's own
    assert "duration_ns" in capsys.readouterr().out


@pytest.mark.parametrize("table", TABLES)
def test_engines_agree(table: str, week: Path) -> None:
    """DuckDB and Polars read the same rows from each table, and Arrow, too."""
    path = week / f"{table}.parquet"
    arrow: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    assert arrow
    assert pl.read_parquet(path).to_dicts() == arrow
    found = duckdb.sql(f"select * from '{path}'")  # noqa: S608 - our own path
    assert [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()] == arrow


@pytest.mark.parametrize("table", TABLES)
def test_columns_are_those_of_the_manual(table: str, week: Path) -> None:
    """The manual names each column of each table."""
    schema = pyarrow.parquet.read_schema(week / f"{table}.parquet")
    text = PAGE.read_text()
    if table == "intervals":
        text = text[text.index("`intervals`, the default") : text.index("| table | a row is")]
    elif table != "wakes":
        [text] = re.findall(rf"^\| `{table}` .*$", text, re.MULTILINE)
    assert set(schema.names) - set(COMMON) <= set(re.findall(r"`(\w+)`", text))


def test_types_are_those_of_the_manual(week: Path) -> None:
    """The types of intervals are those that the manual names, texts have dictionaries."""
    schema = pyarrow.parquet.read_schema(week / "intervals.parquet")
    rows = re.findall(
        r"^\| (`\w+`(?:, `\w+`)*) \| ([a-z0-9, ]+) \|", PAGE.read_text(), re.MULTILINE
    )
    expected = dict(COMMON)
    for names, types in rows:
        columns, kinds = re.findall(r"\w+", names), types.split(", ")
        expected |= dict(
            zip(columns, kinds * len(columns) if len(kinds) == 1 else kinds, strict=False)
        )
    found = {
        field.name: "string" if str(field.type).startswith("dictionary<values=string") else
        str(field.type) for field in schema
    }  # fmt: skip
    assert found == {name: expected[name] for name in schema.names}


def test_metadata_name_the_processes_of_the_columns(week: Path) -> None:
    """Each trace is the object with the number that its rows have."""
    table = pyarrow.parquet.read_table(week / "intervals.parquet")
    about = json.loads(table.schema.metadata[b"gilscope"])
    named = {one["process"]: one["trace"] for one in about}
    rows = table.select(["process", "trace"]).to_pylist()
    assert {row["process"]: row["trace"] for row in rows}.items() <= named.items()
