"""Builds the documentation: the pages in docs/, what stands elsewhere, and the commands' options.

    .venv/bin/python tools/docs.py

Writes out/docs/html. Needs no network. Any warning is an error, a link to nothing among them.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out" / "docs"
OUTSIDE = (
    "CHANGELOG.md",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "native_probe/FORMAT.md",
)
"""Pages that stand where a forge and readers of the sources look for them."""

COMMANDS = "docs/reference/commands.md"
LINK = re.compile(r"(?<=\]\()(?![a-z+]+:|#)([^)\s#]+)((?:#[^)\s]*)?)(?=\))")
FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
INDEX = "\n\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"
"""Behind the README.md of a folder: its other pages."""


class LinkError(Exception):
    """A link that leads nowhere."""


def pages() -> dict[str, str]:
    """Return each page's path in the repository with its path in the site, without docs/."""
    own = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))]
    return {path: path.removeprefix("docs/") for path in (*own, COMMANDS, *OUTSIDE)}


def repository() -> str:
    """Return the address of the sources."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        address: str = tomllib.load(file)["project"]["urls"]["Source"]
    return address.rstrip("/")


def resolved(target: str, page: str, site: dict[str, str]) -> str:
    """Return a link of a page as the site needs it.

    Args:
        target: The link as it is written, relative to the page in the repository.
        page: The page's path in the repository.
        site: The result of `pages`.

    Raises:
        LinkError: There is no such file.
    """
    path = os.path.normpath(PurePosixPath(page).parent / target)
    for candidate in (path, f"{path}/README.md"):
        if candidate in site:
            return os.path.relpath(site[candidate], PurePosixPath(site[page]).parent)
    if not (ROOT / path).exists():
        raise LinkError(f"{page}: a link to {target}, which does not exist")
    if path.startswith("docs/"):  # pictures
        return os.path.relpath(path.removeprefix("docs/"), PurePosixPath(site[page]).parent)
    return f"{repository()}/{'tree' if (ROOT / path).is_dir() else 'blob'}/main/{path}"


def linked(text: str, page: str, site: dict[str, str]) -> str:
    """Return the text of a page with links as the site needs them; code stays as it is."""
    parts = FENCE.split(text)
    for place in range(0, len(parts), 2):
        parts[place] = LINK.sub(lambda m: resolved(m[1], page, site) + m[2], parts[place])
    return "".join(parts)


# ---------------------------------------------------------------- commands


def option_text(command: argparse.ArgumentParser, action: argparse.Action) -> str:
    """Return an option or argument as an item of a list."""
    value = action.metavar or (
        "{" + ",".join(map(str, action.choices)) + "}" if action.choices else None
    )
    if action.option_strings:
        takes = action.nargs != 0
        shown = f" {value or action.dest.upper()}" if takes else ""
        name = ", ".join(f"`{option}{shown}`" for option in action.option_strings)
    else:
        name = f"`{value or action.dest.upper()}`"
    text = command._get_formatter()._expand_help(action) if action.help else ""  # noqa: SLF001
    return f"- {name}{': ' if text else ''}{plain(text)}"


def plain(text: str) -> str:
    """Return a text of the parser so that Markdown shows it as it is, but for code."""
    parts = re.split(r"(`[^`]*`)", text)
    parts[::2] = [re.sub(r"([*_<\[\]])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def commands_page() -> str:
    """Return the page of all commands, made from the parser."""
    from gilscope.cli import make_parser  # noqa: PLC0415 - only this step needs it installed

    os.environ["COLUMNS"] = "90"
    parser = make_parser()
    [commands] = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]  # noqa: SLF001
    lines = ["# Commands", "", "Made from the command line's own descriptions (`-h`).", ""]
    lines.append("[Exit statuses, metrics and JSON](../command-line.md) have a page of their own.")
    for name, command in commands.choices.items():
        usage = command.format_usage().removeprefix("usage: ").rstrip()
        lines += ["", f"## {name}", "", plain(command.description or ""), ""]
        lines += ["```text", usage, "```", ""]
        shown = [a for a in command._actions if a.help != argparse.SUPPRESS]  # noqa: SLF001
        lines += [option_text(command, action) for action in shown if action.dest != "help"]
        lines += ["", plain(command.epilog or "")]
    return "\n".join(lines) + "\n"


# ---------------------------------------------------------------- site


def lay_out(source: Path) -> None:
    """Write all pages to a directory, as Sphinx takes them.

    Raises:
        LinkError: A page has a link to nothing.
    """
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT / "docs", source, ignore=shutil.ignore_patterns("*.md"))
    site = pages()
    for page, place in site.items():
        text = commands_page() if page == COMMANDS else (ROOT / page).read_text(encoding="utf-8")
        if page.startswith("docs/") and page.endswith("/README.md"):
            text += INDEX
        path = source / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(linked(text, page, site), encoding="utf-8")


def build(builder: str) -> int:
    """Build the site from its pages; the exit status of Sphinx."""
    source, target = OUT / "source", OUT / builder
    lay_out(source)
    command = [sys.executable, "-m", "sphinx", "-b", builder, "-W", "--keep-going", "-q", "-E"]
    command += ["-d", str(OUT / "doctrees"), str(source), str(target)]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def main() -> int:
    """Run from the command line."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    try:
        status = build("html")
    except LinkError as error:
        print(f"docs: {error}", file=sys.stderr)
        return 1
    if status == 0:
        print(f"docs: {(OUT / 'html' / 'index.html').relative_to(ROOT)}")
    return status


if __name__ == "__main__":
    sys.exit(main())
