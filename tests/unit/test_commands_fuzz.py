"""Every command on damaged traces: it does its work or says in one line why not."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest
from test_reader_fuzz import ORIGINALS, damaged

from gilscope.cli import main
from gilscope.cli.export import FORMATS, TABLES

if TYPE_CHECKING:
    from pathlib import Path

CASES = int(os.environ.get("GILSCOPE_FUZZ_COMMANDS", "6"))
BAD, GOOD, OUT = "damaged.gilscope", "other.gilscope", "out"
COMMANDS = {
    "info": ("info", BAD),
    "info-json": ("info", "--json", BAD),
    "info-family": ("info", "--family", BAD),
    "findings": ("findings", BAD),
    "findings-json": ("findings", "--json", BAD),
    "top": ("top", BAD),
    "top-json": ("top", "--json", BAD),
    "diff": ("diff", BAD, GOOD),
    "diff-json": ("diff", "--json", GOOD, BAD),
    "report": ("report", BAD, GOOD, "-o", OUT),
    "report-twice": ("report", BAD, BAD, "-o", OUT),
    "pack": ("pack", BAD, "-o", OUT),
    "merge": ("merge", BAD, GOOD, "-o", OUT),
    **{f"export-{name}": ("export", BAD, "--format", name, "-o", OUT) for name in FORMATS},
    **{
        f"export-{table}": ("export", BAD, "--format", "csv", "--table", table, "-o", OUT)
        for table in TABLES
    },
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", COMMANDS)
def test_commands_on_damaged_traces(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Status 0, or 2 with one line and nothing written; a traceback never."""
    monkeypatch.chdir(tmp_path)
    seed = int(os.environ.get("GILSCOPE_FUZZ_SEED", "11"))
    chance = random.Random(f"{seed} {name}")  # noqa: S311 - no secret
    for number in range(CASES):
        data = {
            BAD: damaged(chance),
            GOOD: damaged(chance) if number % 2 else chance.choice(ORIGINALS),
        }
        for file, content in data.items():
            (tmp_path / file).write_bytes(content)
        status = main(COMMANDS[name])
        err = capsys.readouterr().err
        files = {path.name for path in tmp_path.iterdir()} - data.keys()
        assert status in {0, 2}, err
        assert files <= {OUT}
        if status:
            assert files == set()
            errors = [line for line in err.splitlines() if not line.startswith("problem: ")]
            assert len(errors) == 1, err
            assert errors[0].startswith("gilscope: error: ")
        (tmp_path / OUT).unlink(missing_ok=True)
