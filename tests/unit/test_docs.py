"""The documentation holds what the code has, and `gilscope explain` prints it."""

from __future__ import annotations

import ast
import importlib.util
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import gilscope
from gilscope.analysis import findings
from gilscope.analysis.findings import NAMES
from gilscope.analysis.order.model import HAZARDS
from gilscope.cli import COMMANDS, main
from gilscope.race import TITLES

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "findings"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """The tool that builds the site."""
    spec = importlib.util.spec_from_file_location("docs_tool", ROOT / "tools" / "docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def names_in_code() -> set[str]:
    """The literal names of all findings that the rules make."""
    names = set()
    for path in Path(findings.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Finding":
                by_name = [word.value for word in call.keywords if word.arg == "name"]
                [name] = by_name or call.args[:1]
                parts = ast.walk(name)
                names |= {part.value for part in parts if isinstance(part, ast.Constant)}
    return names


def test_every_name_that_a_rule_gives_is_declared() -> None:
    """The names that the rules are listed with are those that they use."""
    assert names_in_code() <= set(NAMES)


def test_every_finding_race_and_hazard_has_a_page() -> None:
    """And each page belongs to one of them."""
    pages = {path.stem for path in PAGES.glob("*.md")} - {"README"}
    assert pages == {*NAMES, *TITLES, *HAZARDS}


def test_the_overview_lists_every_page() -> None:
    """docs/findings/README.md links to each."""
    overview = (PAGES / "README.md").read_text(encoding="utf-8")
    assert [name for name in (*NAMES, *TITLES, *HAZARDS) if f"]({name}.md)" not in overview] == []


@pytest.mark.parametrize("name", [*NAMES, *TITLES, *HAZARDS])
def test_explain_prints_the_page(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As it is in the repository."""
    assert main(["explain", name]) == 0
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out.rstrip() == page.rstrip()


def test_explain_takes_the_words_of_a_report(capsys: pytest.CaptureFixture[str]) -> None:
    """Reports write "lost update"."""
    assert main(["explain", "Lost update"]) == 0
    assert capsys.readouterr().out.startswith("# lost-update\n")


def test_explain_without_a_name_lists_the_names(capsys: pytest.CaptureFixture[str]) -> None:
    """One a line."""
    assert main(["explain"]) == 0
    assert capsys.readouterr().out.split() == sorted([*NAMES, *TITLES, *HAZARDS])


@pytest.mark.parametrize(
    ("word", "hint"),
    [("hot-lok", "did you mean hot-lock, "), ("xyzzy", "`gilscope explain` lists the names")],
)
def test_an_unknown_name_is_one_line(
    word: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the nearest names, if any is near."""
    assert main(["explain", word]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"gilscope: error: no finding '{word}': ")
    assert hint in line


def test_the_reference_has_the_whole_public_interface() -> None:
    """Each name of `gilscope.__all__` but the version."""
    page = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    missing = [n for n in gilscope.__all__ if not n.startswith("__") and f":: {n}\n" not in page]
    assert missing == []


def test_the_commands_page_has_every_option(tool: ModuleType) -> None:
    """It is made from the parser."""
    page = tool.commands_page()
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2].replace("_", "-")
        assert f"\n## {name}\n" in page
    assert "- `--fail-on {high,medium,low}`: exit with 1" in page
    assert "- `--max-bytes SIZE`: maximum size of each trace" in page


def test_every_link_leads_somewhere(tool: ModuleType, tmp_path: Path) -> None:
    """Links out of the documentation lead to the sources; none leads to nothing."""
    tool.lay_out(tmp_path / "site")
    notebook = (tmp_path / "site" / "notebook.md").read_text(encoding="utf-8")
    assert f"]({tool.repository()}/blob/main/notebooks/quickstart.ipynb)" in notebook
    site = tool.pages()
    with pytest.raises(tool.LinkError, match="which does not exist"):
        tool.linked("[x](nothing.md)", "docs/faq.md", site)


def test_links_in_code_stay_as_they_are(tool: ModuleType) -> None:
    """What looks like a link in a block of code is code."""
    text = "```cpp\n[&](const Result& result) {}\n```"
    assert tool.linked(text, "docs/faq.md", tool.pages()) == text


def test_the_version_is_the_same_everywhere() -> None:
    """In the package, in its metadata, and at the head of the changelog."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    [head] = re.findall(r"^## \[(.+?)\]", changes, re.MULTILINE)[:1]
    assert gilscope.__version__ == project["version"] == head
